"""`minimize_many`: thousands of problems in one call."""
