"""`minimize` inside compiled code: a function of yours that is compiled by Numba may call it like any other.

A call becomes an entry of its own: the options are keywords, read when the caller is compiled; the method's step, the
loop and the objective are compiled into one. The loop is the one that `minimize` runs for compiled objectives.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import models, register_model, typeof_impl

from numbaopt import start
from numbaopt.addresses import shown
from numbaopt.cpu import jit, load
from numbaopt.crowd import _opened
from numbaopt.hyper import interval, nearest
from numbaopt.loop import _run_on
from numbaopt.minimize import bounded, find, minimize
from numbaopt.observe import new_record
from numbaopt.passes import layout
from numbaopt.rule import Rule
from numbaopt.solvers.solver import Solver
from numbaopt.splice import marks, splice
from numbaopt.wrapper import STORE

POSITIONAL = ("fun", "x0", "args", "method", "jac")
OPTIONS = {"maxiter": 20_000.0, "gtol": 1e-5, "ftol": -1.0, "maxfev": np.inf}
NOT_HERE = {"hess", "hessp", "constraints", "callback", "options"}
NOT_HERE |= {"data", "batch_size", "epochs", "shuffle", "drop_last"}


class Minimum(NamedTuple):
    """What `minimize` returns in compiled code; fields as in `Result`.

    x and jac are new arrays, or views of the workspace where one was given.
    """

    x: np.ndarray
    fun: float
    nit: int
    status: int
    nfev: int
    jac: np.ndarray
    success: bool


class Method(types.Opaque):
    """The Numba type of one rule or solver, which is a constant."""

    def __init__(self, rule):
        self.rule = rule
        super().__init__(f"Method({rule!r})")

    @property
    def key(self):
        """What tells methods apart."""
        return type(self.rule), self.rule


register_model(Method)(models.OpaqueModel)


@typeof_impl.register(Rule)
@typeof_impl.register(Solver)
def _typeof_method(value, context):
    return Method(value)


@lower_constant(Method)
def _constant_method(context, builder, kind, value):
    return context.get_dummy_value()


@infer_global(minimize)
class MinimizeTemplate(AbstractTemplate):
    """How Numba finds the entry for a call of `minimize`."""

    key = minimize
    prefer_literal = True
    compiled: dict = {}

    def generic(self, args, kws):
        """Return the signature of the entry for these types."""
        given = dict(zip(POSITIONAL, args, strict=False)) if len(args) <= len(POSITIONAL) else _too_many(args)
        given |= kws
        entry = _entry(tuple(given.items()))
        kind = types.Dispatcher(entry)
        signature = kind.get_call_type(self.context, args, kws)
        self.compiled[signature.args] = kind.get_overload(signature)
        return signature

    def get_impl_key(self, signature):
        """Return what the entry is known by to the code generator."""
        return self.compiled[signature.args]


def _too_many(args):
    raise TypingError(f"minimize in compiled code takes {', '.join(POSITIONAL)} by place, all else by name")


@functools.lru_cache(512)
def _entry(given):
    """Return the compiled function for one way of calling `minimize`: names and types."""
    call = _Call(dict(given))
    return load.__wrapped__(call.text(), "minimize", cached=False, **call.names)


class _Call:
    """One way of calling `minimize`, as text.

    Parameters
    ----------
    given : dict
        Numba types of what was given, by name.
    """

    def __init__(self, given):
        self.parameters = list(given)
        self.given = {k: v for k, v in given.items() if not isinstance(v, (types.NoneType, types.Omitted))}
        for name in ("fun", "x0"):
            if name not in self.given:
                raise TypingError(f"minimize(fun, x0, ...): {name} is missing")
        self.bounded = "bounds" in self.given
        general = (*POSITIONAL, *OPTIONS, "tol", "best", "bounds", "workspace")
        own = {k: v for k, v in self.given.items() if k not in general}
        self.rule, self.own = _method(self.given.get("method"), own)
        if self.bounded:
            self.rule = _refusing(bounded, self.rule)
        self.real = _real(self.given["x0"])
        self.names = {"H": self.rule.h, "Minimum": Minimum, "shown": shown, "fill_powers": fill_powers}

    def text(self):
        """Return the text of the entry, and of all that is compiled with it."""
        rule, program = self.rule, self.rule.program
        program = program if rule.elementwise and isinstance(rule, Rule) else None
        if program is None:
            self.names["stepped"] = rule.jit
        begin = "@jit\n" + start.emit(rule, self.bounded)
        stepped = "stepped, " * (program is None)
        parameters = ", ".join([*self.parameters, f"tag_={next(_count)}"])
        entry = [f"def entry({parameters}):", *self._memory(), *self._numbers(), *self._start()]
        entry += [
            "verdict = _opened(evaluate, block, h, record, pack)",
            "if verdict == GO_ON:",
            f"    verdict = _run_on(evaluate, {stepped}block, s, h, record, pack, 2**62)",
            *self._report(),
            "verdict = judged(verdict, block)",
            "fun_, row = answer(record)",
            "code = status(verdict, fun_, record)",
            "nit = iterations(verdict, h, record)",
            f"best_, slope = block[BEST_X]{self._copied}, block[row]{self._copied}",
            "return Minimum(best_, fun_, nit, code, int(record[NFEV]), slope, code == 0)",
        ]
        own = "\n    ".join(entry)
        return splice((_run_on, _opened), program, marks(rule), f"{begin}\n\n\n{self._evaluate()}", own)

    @property
    def _copied(self):
        return "" if "workspace" in self.given else ".copy()"

    def _memory(self):
        rows, numbers = 6 if self.bounded else 4, self.rule.h.size
        slots = self.rule.slots(np.ones(1), **self._limits()).shape[0]
        reals = f"flat[{_RECORD + numbers} : need]" + ".view(np.float32)" * (self.real == types.float32)
        return [
            "n = len(x0)",
            "if n == 0:",
            '    raise ValueError("x0 is empty")',
            f"need = {_RECORD + numbers} + {rows + slots + 1} * n",
            "flat = workspace" if "workspace" in self.given else "flat = np.empty(need)",
            "if flat.size < need:",
            '    raise ValueError("workspace is too short: numbaopt.workspace_size says how long it must be")',
            f"record, h, reals = flat[:{_RECORD}], flat[{_RECORD} : {_RECORD + numbers}], {reals}",
            f"block = reals[: {rows} * n].reshape(({rows}, n))",
            f"s = reals[{rows} * n : {rows + slots} * n].reshape(({slots}, n))",
            f"point = reals[{rows + slots} * n : {rows + slots + 1} * n]",
        ]

    def _limits(self):
        return {"lower": 0.0, "upper": 0.0} if self.bounded else {}

    def _numbers(self):
        lines = ["h[:] = H"]
        places = layout(self.rule.program)[0] if isinstance(self.rule, Rule) else None
        for name in self.own:
            low, high, ends = _interval(self.rule, name)
            above, below = (">=" if ends[0] == "[" else ">"), ("<=" if ends[1] == "]" else "<")
            interval = f"{ends[0]}{low}, {high}{ends[1]}"
            lines += [
                f"if not ({name} {above} {_number(low)} and {name} {below} {_number(high)}):",
                f'    raise ValueError("{self.rule.name}: {name} lies in {interval} and is finite")',
            ]
            if places is None:
                lines += [f"h[{list(self.rule.hyper).index(name)}] = {name}"]
            elif name in places:
                lines += [f"{places[name]} = {name}"]
                if name in self.rule.program.powers:
                    at = places[f"{name}_t"].split("h[")[1].split(" ")[0]
                    lines += [f"fill_powers(h, {at}, float({name}))"]
        if places is not None:
            for number in self.rule.numbers_of:
                text, named = start.begun(self.rule, number)
                if named:
                    lines += [line.replace(" = ", "_ = ", 1) for line in named]
                    lines += [f"{places[number]} = {start.marked(text, named)}"]
        return lines

    def _start(self):
        options = {name: name if name in self.given else _number(value) for name, value in OPTIONS.items()}
        if "tol" in self.given and "gtol" not in self.given:
            options["gtol"] = "tol"
        record = new_record()
        solver = not isinstance(self.rule, Rule)
        ftol = "-1.0" if solver else options["ftol"]
        lines = [f"record[{i}] = {_number(value)}" for i, value in enumerate(record.tolist())]
        lines += [f"record[GTOL], record[FTOL], record[MOST_NIT] = {options['gtol']}, {ftol}, {options['maxiter']}"]
        lines += [f"record[MOST_NFEV] = {options['maxfev']}"]
        if "best" in self.given:
            lines += ["record[LATEST] = 0.0 if best else 1.0"]
        if solver:
            at, value = self.rule.places
            lines += [f"record[ITERATIONS], record[VALUE], record[DONE_FTOL] = {at}.0, {value}.0, {options['ftol']}"]
        lines += [
            "x, box = block[X], block[LOWER:]",
            "for i in range(n):",
            "    x[i], block[G, i] = x0[i], np.nan",
        ]
        if self.bounded:
            lines += [
                "    box[0, i], box[1, i] = bounds[i][0], bounds[i][1]",
                "    if not box[0, i] <= box[1, i]:",
                '        raise ValueError("an upper bound is less than the corresponding lower bound, or one is NaN")',
                "    x[i] = min(max(x[i], box[0, i]), box[1, i])",
            ]
        lines += ["    block[BEST_X, i], block[BEST_G, i] = x[i], np.nan", "begin(x, s, h, box, block)"]
        args = "args" if "args" in self.given else "()"
        if args == "args" and not isinstance(self.given["args"], types.BaseTuple):
            args = "(args,)"
        values = [name for name in ("fun", "jac") if isinstance(self.given.get(name), types.FunctionType)]
        return [*lines, f"pack = ({', '.join([args, 'point', *values])})"]

    def _evaluate(self):
        form, values = self.given.get("jac"), []
        for name in ("fun", "jac"):
            if isinstance(self.given.get(name), types.Dispatcher):  # known now: may be compiled into the loop
                self.names[f"{name}_"] = self.given[name].dispatcher
            elif isinstance(self.given.get(name), types.FunctionType):
                values.append(f"{name}_")
        if isinstance(form, types.StringLiteral) and form.literal_value == "inplace":
            lines = ["return float(fun_(POINT, g, *args))"]
        elif isinstance(form, types.BooleanLiteral) and form.literal_value:
            lines = ["f, grad = fun_(POINT, *args)", *STORE, "return float(f)"]
        elif _callable(form):
            lines = ["f, grad = fun_(POINT, *args), jac_(POINT, *args)", *STORE, "return float(f)"]
        else:
            raise TypingError(f"jac={form}: not here")
        lines = [line.replace("POINT", "shown(x)") for line in lines]
        head = [f"{', '.join(['args', 'point', *values])} = pack"]
        return "\n    ".join(["@jit\ndef evaluate(x, g, pack):", *head, *lines])

    def _report(self):
        return []


_RECORD = new_record().size
_count = itertools.count()


def _method(kind, own):
    """Return the method with what is known of its hyperparameters, and the names of those that are not."""
    if kind is None:
        rule = find("adam")
    elif isinstance(kind, types.StringLiteral):
        rule = _refusing(find, kind.literal_value)
    elif isinstance(kind, Method):
        rule = kind.rule
    else:
        raise TypingError(f"method is a method's name, written out, or a rule that is a global variable; not {kind}")
    known, open_ = {}, []
    for name, value in own.items():
        if name in NOT_HERE:
            raise TypingError(f"minimize in compiled code has no {name}")
        if name not in rule.hyper:
            there = [*rule.hyper, *OPTIONS, "tol", "best", "bounds", "workspace"]
            raise TypingError(f"{rule.name} has no option {name!r}; it has {', '.join(there)}.{nearest(name, there)}")
        if isinstance(value, types.Literal):
            known[name] = value.literal_value
        elif isinstance(value, (types.Number, types.Boolean)) and not isinstance(rule.hyper[name], (bool, str)):
            open_.append(name)
        else:
            raise TypingError(f"{rule.name}: {name} must be written out where minimize is called, as a constant")
    rule = _refusing(lambda **hyper: rule(**hyper), **known)
    for name in open_:  # decided before compiling: is it on?
        rule = rule(**{name: _stand_in(rule, name)})
    return rule, open_


def _refusing(function, *args, **options):
    try:
        return function(*args, **options)
    except (TypeError, ValueError) as error:
        raise TypingError(str(error)) from None


def _stand_in(rule, name):
    for value in (rule.hyper[name], 0.5, 1, 2.0, -0.5, 1e-3):
        try:
            if value and not isinstance(value, bool) and np.isscalar(value):
                rule(**{name: value})
                return value
        except (TypeError, ValueError):
            continue
    return rule.hyper[name]


def _interval(rule, name):
    """Return what a hyperparameter may be: lowest, highest, and which brackets."""
    if isinstance(rule, Rule):
        return interval(rule, name)
    _, allowed = rule._allowed[name]
    low, high = map(float, allowed[1:-1].split(","))
    return low, high, allowed[0] + allowed[-1]


def _number(value):
    return repr(float(value)) if np.isfinite(value) else f"np.{value}" if value >= 0 or value != value else "-np.inf"


def _real(kind):
    if isinstance(kind, types.Array) and kind.ndim == 1 and isinstance(kind.dtype, (types.Float, types.Integer)):
        return types.float32 if kind.dtype == types.float32 else types.float64
    if isinstance(kind, (types.UniTuple, types.Tuple)) and all(isinstance(k, types.Number) for k in kind.types):
        return types.float64
    raise TypingError(f"x0 is an array of one dimension and of real numbers, not {kind}")


def _callable(kind):
    return isinstance(kind, (types.Dispatcher, types.FunctionType))


@jit
def fill_powers(h, at, b):
    """Write the table of powers of b into h: see `numbaopt.passes.powers`."""
    place = 1.0
    for k in range(4):
        for digit in range(32):
            h[at + 32 * k + digit] = b ** (digit * place)
        place *= 32.0
    h[at + 128] = 1048576 * np.log(abs(b)) if b != 0.0 else -np.inf


def workspace_size(n, method="adam", bounds=False):
    """Return how long an array of float64 must be that `minimize` in compiled code can do with.

    Parameters
    ----------
    n : int
        Entries of x0.
    method : str, Rule or Solver
    bounds : bool
        Whether there will be bounds.
    """
    rule = bounded(find(method)) if bounds else find(method)
    limits = {"lower": 0.0, "upper": 0.0} if bounds else {}
    return _RECORD + rule.h.size + (rule.slots(np.ones(1), **limits).shape[0] + (7 if bounds else 5)) * n
