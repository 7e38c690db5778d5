"""From the text of a rule to the text of kernels. Nothing here imports Numba."""
