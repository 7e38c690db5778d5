"""Several methods on one objective, side by side."""
