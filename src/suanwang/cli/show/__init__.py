"""What people see in a terminal: one module a thing, each from a view to Rich renderables."""
