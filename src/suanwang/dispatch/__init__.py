"""Wanted state against seen state -> instructions. See README.md."""
