"""An alias of `numbaopt.adapters`, kept for compatibility."""

from numbaopt.adapters import gaussian_process, loop, neural_network, statsmodels

__all__ = ["gaussian_process", "loop", "neural_network", "statsmodels"]
