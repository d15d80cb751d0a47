"""The same brain against simulated sites, network and clock. See README.md."""
