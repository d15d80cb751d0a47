"""A lab of real Linux routers in network namespaces. See README.md."""
