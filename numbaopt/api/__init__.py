"""The calls that a user makes: `minimize`, `Optimizer`, and how callbacks and SciPy's methods are read."""
