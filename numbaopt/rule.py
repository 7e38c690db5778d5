"""What the author of a rule imports: ``from numbaopt.rule import rule, sqrt, where``."""

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

# The name `numbaopt.rule` is this module in ``import numbaopt.rule``, and the decorator in ``numbaopt.rule``: what the
# one has, the other has, too.
for _name in __all__:
    setattr(rule, _name, globals()[_name])
