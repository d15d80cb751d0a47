"""One adapter a backend; `fake` has none. See docs/guide/writing-an-adapter.md."""
