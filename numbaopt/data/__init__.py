"""Data for minibatches: their rows, in which order, and how they are copied."""
