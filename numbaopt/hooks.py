"""The former name of `numbaopt.adapters`, which stays."""

from numbaopt.adapters import gaussian_process, loop, neural_network, statsmodels

__all__ = ["gaussian_process", "loop", "neural_network", "statsmodels"]
