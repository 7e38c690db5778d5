"""The functions for writing rules, as in ``from numbaopt.rule import rule, sqrt, where``."""

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
from numbaopt.lowering.frontend import RuleError
from numbaopt.methods import pickling  # noqa: F401 - registers how a rule is pickled
from numbaopt.methods.chain import chain
from numbaopt.methods.decorator import rule
from numbaopt.methods.functions import (
    abs,
    columns,
    exp,
    isfinite,
    log,
    matrix,
    max,
    mean,
    min,
    norm,
    normal,
    rows,
    sign,
    simplex_threshold,
    skip,
    sqrt,
    sum,
    where,
)
from numbaopt.methods.rule import Rule

__all__ = ["Rule", "RuleError", "chain", "rule", "skip"]
__all__ += ["abs", "exp", "isfinite", "log", "max", "mean", "min", "norm", "normal", "sign", "sqrt", "sum", "where"]
__all__ += ["columns", "matrix", "rows", "simplex_threshold"]
__all__ += ["columnmax", "columnmean", "descending", "eigenvectors", "inverse_root", "orthogonal", "orthonormal"]
__all__ += ["rowmax", "rowmean", "transpose"]

# In ``import numbaopt.rule as r`` the name is bound to the decorator, because `numbaopt.rule` is the decorator once the
# package is imported. The decorator therefore has the functions of this module as attributes.
for _name in __all__:
    setattr(rule, _name, globals()[_name])
