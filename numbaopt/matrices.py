"""Alias of `numbaopt.backends.linalg`, for programs written for version 0.1.0. `numbaopt.rule` has all functions."""

from numbaopt.backends.linalg import (
    columnmax,
    columnmean,
    descending,
    eigenvectors,
    inverse_root,
    orthogonal,
    orthonormal,
    rowmax,
    rowmean,
    transpose,
)

__all__ = ["columnmax", "columnmean", "descending", "eigenvectors", "inverse_root", "orthogonal", "orthonormal"]
__all__ += ["rowmax", "rowmean", "transpose"]
