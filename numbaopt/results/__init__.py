"""Plain data that a run returns."""
