"""A rule's text in, the text of kernels out. Nothing here imports Numba."""
