"""The arguments of `minimize` in compiled code."""

POSITIONAL = ("fun", "x0", "args", "method", "jac")
