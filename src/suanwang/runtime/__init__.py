"""The composition root: the real clock, ids, random numbers, settings and logging live here, and only here."""
