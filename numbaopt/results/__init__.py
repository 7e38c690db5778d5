"""The plain data that a run returns."""
