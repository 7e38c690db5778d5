"""One run from its start to its end: the loops, the stopping test, the result."""
