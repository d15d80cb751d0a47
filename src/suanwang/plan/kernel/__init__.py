"""The bulk kernel: joint decisions by the million over arrays of integers."""
