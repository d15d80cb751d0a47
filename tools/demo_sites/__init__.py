"""`make demo-sites`: real backends join one grid, one workflow runs across them, and what can be killed is killed."""
