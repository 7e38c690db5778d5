"""Minibatches: their rows, the order of the rows, and copying them."""
