"""The planning benches: worlds by seed, and what is measured on them."""
