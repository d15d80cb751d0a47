"""The single source of types. See README.md."""
