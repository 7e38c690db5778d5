"""The objective of `minimize` in compiled code: the text of ``evaluate(x, g, pack)`` for each form of jac.

The tuple ``pack`` holds everything else that an evaluation needs: args, functions that are values, and workspace.
"""

import numpy as np
from numba import types
from numba.core.errors import TypingError

from numbaopt.backends.cpu import jit
from numbaopt.backends.pointers import shown
from numbaopt.objectives.compiled import STORE
from numbaopt.objectives.differences import SCHEMES

FORMS = "a compiled function, True, 'inplace', '2-point', '3-point', 'cs' or None"
_REALS = (types.Float, types.Integer, types.Boolean)


def form_of(kind):
    """Return the form of the gradient for the Numba type of jac: "function", True, "inplace" or the name of a scheme.

    Raises
    ------
    TypingError
        For a form that compiled code does not support.
    """
    if kind is None:
        return "2-point"
    if isinstance(kind, (types.Dispatcher, types.FunctionType)):
        return "function"
    value = kind.literal_value if isinstance(kind, types.Literal) else kind
    if value is True or (isinstance(value, str) and value in ("inplace", *SCHEMES)):
        return value
    if value is False:
        return "2-point"
    if isinstance(value, str) and value in ("spsa", "autograd"):
        raise TypingError(f"jac={value!r} is for calls from Python; in compiled code, jac must be {FORMS}")
    actual = repr(value) if isinstance(kind, types.Literal) else f"a value of type {kind}, known only at run time"
    raise TypingError(f"in compiled code, jac must be {FORMS}, not {actual}")


def scratch(form):
    """Return the workspace of an evaluation: how many arrays as long as x, of float64 and of the dtype of x."""
    if form not in SCHEMES:
        return 0, 1
    scheme = SCHEMES[form]
    return (1, 2 + scheme.points) if scheme.bounded else (5, 1)


class Evaluation:
    """The objective of one call of `minimize`.

    Parameters
    ----------
    given : dict
        Numba types of the arguments of `minimize`, by name.
    context : numba typing context
    real : numba type
        The dtype of x.
    bounded : bool

    Attributes
    ----------
    text : str
        The text of ``evaluate`` and of the functions that it calls.
    names : dict
        Further names that the text uses.
    pack : dict
        Expressions for the entries of ``pack``, by the names to which they are unpacked.
    cost : str
        An expression for the number of additional evaluations of `fun` that a call takes.
    """

    def __init__(self, given, context, real, bounded):
        self.given, self.context, self.real, self.bounded = given, context, real, bounded
        self.form, self.cost = form_of(given.get("jac")), "0.0"
        self.names = {"shown": shown, "copied": copied, "free": free}
        args = given.get("args", ())
        single = "args" in given and not isinstance(args, types.BaseTuple)
        self._args = tuple(map(types.unliteral, (args,) if single else args))
        self.pack = {"args": "(args,)" if single else "args" if "args" in given else "()"}
        self.pack["point"] = "wide[0]"
        for name in ("fun", "jac"):
            kind = given.get(name)
            if isinstance(kind, types.Dispatcher):  # a known function, which can be compiled into the loop
                self.names[f"{name}_"] = kind.dispatcher
            elif isinstance(kind, types.FunctionType):
                self.pack[f"{name}_"] = name
            elif name == "fun":
                raise TypingError(f"fun must be a function compiled by Numba, not {kind}")
        self.text = "\n\n\n".join(self._estimated() if self.form in SCHEMES else self._analytic())

    def _function(self, head, lines):
        return "\n    ".join([f"@jit\ndef {head}:", f"{', '.join(self.pack)}, = pack", *lines])

    def _analytic(self):
        if self.form == "inplace":
            call, returned = self._call("fun", "x", self.real, types.Array(self.real, 1, "C"))
            lines = [f"return float({call})"]
        elif self.form is True:
            call, returned = self._call("fun", "x", self.real)
            if not isinstance(returned, types.BaseTuple) or len(returned) != 2:
                raise TypingError(f"jac=True: fun must return (f, gradient), not {returned}")
            lines, returned = [f"f, grad = {call}", *STORE, "return float(f)"], returned[0]
        else:
            call, returned = self._call("fun", "x", self.real)
            slopes, _ = self._call("jac", "x", self.real)
            lines = [f"f = {call}", f"grad = {slopes}", *STORE, "return float(f)"]
        _number(returned, _REALS, "a real number")
        return [self._function("evaluate(x, g, pack)", lines)]

    def _estimated(self):
        """Return the texts of finite differences."""
        scheme, value = SCHEMES[self.form], "value"
        call, returned = self._call("fun", "x", self.real)
        _number(returned, _REALS, "a real number")
        self.names["gradient"] = scheme.gradient
        self.names["scale"] = scheme.scale(np.float32 if types.float32 in (self.real, returned) else np.float64)
        self.pack |= {"slopes": "doubles[0]", "none": "record[:0]"}
        if scheme.bounded:
            count, limits = "n", {"lower": "block[X, :0]", "upper": "block[X, :0]"}
            if self.bounded:
                count, limits = "free(box)", {"lower": "box[0]", "upper": "box[1]"}
            self.pack |= {"z": "wide[1]", "points": "wide[2:]", **limits}
            self.cost = f"{scheme.points}.0 * {count}"
        else:
            complexes = "doubles[1:].reshape(4 * n).view(np.complex128)"
            self.pack |= {"z": f"{complexes}[:n]", "complexes": f"{complexes}[n:]"}
            self.pack |= {"points": "wide[:0]", "lower": "record[:0]", "upper": "record[:0]"}
            self.cost = "1.0 * n"
        functions = [self._function("value(x, pack)", [f"return float({call})"])]
        if not scheme.bounded:
            value = "complex_value"
            call, returned = self._call("fun", "x", types.complex128)
            _number(returned, types.Complex, "a complex number if x is complex, for jac='cs'")
            functions.append(self._function("complex_value(x, pack)", [f"return {call}"]))
        lines = [
            "f = value(x, pack)",
            f"gradient({value}, x, f, slopes, z, points, lower, upper, none, scale, pack)",
            "for i in range(g.size):",
            "    g[i] = slopes[i]",
            "return f",
        ]
        return [*functions, self._function("evaluate(x, g, pack)", lines)]

    def _call(self, name, x, real, *grad_types):
        """Return the text of a call, and the Numba type of its return value.

        The argument x is read-only. A function that does not compile for that, because it writes to x, gets a copy.
        """
        kind, failure = self.given[name], None
        for readonly in (True, False):
            arg_types = types.Array(real, 1, "C", readonly=readonly), *grad_types, *self._args
            try:
                returned = self._return_type(kind, arg_types)
            except TypingError as error:
                returned, failure = None, error
            if returned is not None:
                target = "complexes" if isinstance(real, types.Complex) else "point"
                point = f"shown({x})" if readonly else f"copied({x}, {target})"
                return f"{name}_({', '.join([point, *['g'] * len(grad_types), '*args'])})", returned
        listed = ", ".join(map(str, arg_types))
        names = f"x{', grad' * len(grad_types)} and args"
        raise TypingError(f"{name} does not compile for ({listed}), the types of {names}:\n{failure or kind}")

    def _return_type(self, kind, arg_types):
        """Return the return type of a function for these argument types; None if it does not accept them."""
        if isinstance(kind, types.FunctionType):
            accepted = kind.ftype.atypes
            same_length = len(accepted) == len(arg_types)
            fits = same_length and None not in map(self.context.can_convert, arg_types, accepted)
            return kind.ftype.rtype if fits else None
        return self.context.resolve_function_type(kind, arg_types, {}).return_type


def _number(kind, wanted, words):
    if not isinstance(kind, wanted):
        raise TypingError(f"fun must return {words}, not {kind}")


@jit
def copied(x, to):
    """Copy x, for a function that may overwrite it; return the copy."""
    for i in range(x.size):
        to[i] = x[i]
    return to


@jit
def free(box):
    """Count the entries whose bounds are not equal."""
    count = 0
    for i in range(box.shape[1]):
        count += box[0, i] < box[1, i]
    return count
