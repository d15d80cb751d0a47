"""The hands: agents and their adapters. See README.md."""
