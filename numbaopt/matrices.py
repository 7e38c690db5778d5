"""The former name of `numbaopt.backends.linalg`, which stays; `numbaopt.rule` has these functions, too."""

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
