"""The compiled function for a call of `minimize` in compiled code: its text, and the names that the text uses."""

import hashlib

import numpy as np
from numba import types
from numba.core.errors import TypingError

from numbaopt.api.minimize import bounded
from numbaopt.backends.cpu import jit, load
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.drivers import beginning
from numbaopt.drivers.assemble import assemble
from numbaopt.drivers.beginning import evaluate_start
from numbaopt.drivers.compiled_loop import run_full_batch
from numbaopt.drivers.flags import flags_of
from numbaopt.drivers.stopping import new_record
from numbaopt.embedded.helpers import HELPERS
from numbaopt.embedded.method import GENERAL, OPTIONS, method_of, typing_errors
from numbaopt.embedded.objective import Evaluation, scratch
from numbaopt.embedded.signature import POSITIONAL
from numbaopt.lowering import emit_init
from numbaopt.lowering.layout import layout
from numbaopt.methods.hyperparameters import interval
from numbaopt.methods.rule import Rule

RECORD = new_record().size


def memory(rule, is_bounded, form):
    """Return the workspace of an entry.

    Parameters
    ----------
    rule : Rule or Solver
    is_bounded : bool
        Whether there are bounds.
    form : str or True
        The form of the gradient, from `numbaopt.embedded.objective.form_of`.

    Returns
    -------
    numbers, doubles : int
        The number of float64 numbers, and of float64 arrays as long as x.
    rows : tuple of int
        The numbers of arrays like x: the block, the slots, the workspace of the objective, and that for the reported
        point.
    """
    doubles, wide = scratch(form)
    slots = len(rule.slots_of) + (0 if isinstance(rule, Rule) else 2 * is_bounded)
    return RECORD + rule.h.size, doubles, (6 if is_bounded else 4, slots, wide, 2 * rule.has_reported_point)


class Entry:
    """The text of the function that a call of `minimize` with certain arguments becomes.

    Parameters
    ----------
    given : dict
        Numba types of the arguments, by name.
    context : numba typing context
    minimum : type
        The type of the return value.

    Raises
    ------
    TypingError
        For invalid arguments.
    """

    def __init__(self, given, context, minimum):
        self.parameters = list(given)
        self.given = {k: v for k, v in given.items() if not isinstance(v, (types.NoneType, types.Omitted))}
        for name in ("fun", "x0"):
            if name not in self.given:
                raise TypingError(f"minimize(fun, x0, ...): {name} is missing")
        self.bounded = "bounds" in self.given
        hyper = {k: v for k, v in self.given.items() if k not in (*POSITIONAL, *GENERAL)}
        self.rule, self.variable_hyper = method_of(self.given.get("method"), hyper)
        if self.bounded:
            self.rule = typing_errors(bounded, self.rule)
        self.real = _real(self.given["x0"])
        self._check()
        self.objective = Evaluation(self.given, context, self.real, self.bounded)
        self.names = {"H": self.rule.h, "RECORD": new_record(), "Minimum": minimum, **HELPERS, **self.objective.names}

    def _check(self):
        for name in (*OPTIONS, "tol"):
            if name in self.given and not isinstance(self.given[name], (types.Float, types.Integer)):
                raise TypingError(f"{name} must be a number, not {self.given[name]}")
        if not isinstance(self.given.get("best", types.boolean), types.Boolean):
            raise TypingError(f"best must be True or False, not {self.given['best']}")
        flat = types.Array(types.float64, 1, "C")
        if (workspace := self.given.get("workspace", flat)) != flat:
            raise TypingError(f"workspace must be a contiguous one-dimensional array of float64, not {workspace}")

    def compiled(self):
        """Return the compiled function. A digest in its text distinguishes it, for callers that are cached on disk."""
        text = self._text()
        source = self.rule.source() if isinstance(self.rule, Rule) else self.rule.name
        arrays = [value for value in self.names.values() if isinstance(value, np.ndarray)]
        content = "".join([text, source, *(f"{array.shape}{array.tobytes()}" for array in arrays)])
        tag = int(hashlib.sha256(content.encode()).hexdigest()[:15], 16)
        return load.__wrapped__(text.replace("TAG", str(tag)), "minimize", cached=False, **self.names)

    def _text(self):
        rule, program = self.rule, self.rule.program
        program = program if rule.elementwise and isinstance(rule, Rule) else None
        if program is None:
            self.names["stepped"] = rule.jit
        begin = "@jit\n" + emit_init.emit(rule, self.bounded)
        step = "stepped" if program is None else "None"
        entry = [
            f"def entry({', '.join([*self.parameters, 'tag_=TAG'])}):",  # the tag distinguishes calls of the same types
            *self._memory(),
            *self._numbers(),
            *self._record(),
            *self._start(),
            f"stop = run_full_batch(evaluate, {step}, block, s, h, record, pack, 2**62, None, None)",
            "stop = check_x(stop, finite(block[BEST_X]))",
            *self._reported(),
            "fun_, row, code, nit = summary(stop, h, record)",
            *self._unevaluated(),
            f"best_, slope = block[BEST_X]{self._copied}, block[row]{self._copied}",
            "return Minimum(best_, fun_, nit, code, int(record[NFEV]), slope, code == 0)",
        ]
        helpers, functions = f"{begin}\n\n\n{self.objective.text}", (evaluate_start, run_full_batch)
        return assemble(functions, program, flags_of(rule), helpers, "\n    ".join(entry), provided=tuple(self.names))

    @property
    def _copied(self):
        return "" if "workspace" in self.given else ".copy()"

    def _memory(self):
        numbers, doubles, (block, slots, wide, spare) = memory(self.rule, self.bounded, self.objective.form)
        single, total = ".view(np.float32)" * (self.real == types.float32), block + slots + wide + spare
        lines = [
            "n = len(x0)",
            "if n == 0:",
            '    raise ValueError("x0 is empty")',
            f"need = {numbers} + {doubles + total} * n",
            "flat = workspace" if "workspace" in self.given else "flat = np.empty(need)",
            "if flat.size < need:",
            '    raise ValueError("workspace is too short; numbaopt.workspace_size returns the required length")',
            f"record, h, at = flat[:{RECORD}], flat[{RECORD} : {numbers}], {numbers} + {doubles} * n",
            f"doubles, reals = rows(flat, {numbers}, {doubles}, n), flat[at:need]{single}",
        ]
        start = 0
        for name, count in (("block", block), ("s", slots), ("wide", wide), ("spare", spare)):
            lines.append(f"{name} = rows(reals, {start} * n, {count}, n)")
            start += count
        return lines

    def _numbers(self):
        lines = ["copy(h, H)"]
        positions = layout(self.rule.program) if isinstance(self.rule, Rule) else None
        for name in self.variable_hyper:
            low, high, ends = interval(self.rule, name) if isinstance(self.rule, Rule) else self.rule.interval(name)
            above, below = (">=" if ends[0] == "[" else ">"), ("<=" if ends[1] == "]" else "<")
            allowed = f"{ends[0]}{low}, {high}{ends[1]}"
            lines += [
                f"if not ({name} {above} {_number(low)} and {name} {below} {_number(high)}):",
                f'    raise ValueError("{self.rule.name}: {name} must be finite and lie in {allowed}")',
            ]
            if positions is None:
                lines += [f"h[{list(self.rule.hyper).index(name)}] = {name}"]
            elif name in positions.offsets:
                lines += [f"{positions.access(name)} = {name}"]
                if name in self.rule.program.powers:
                    lines += [f"fill_powers(h, {self.rule.table(name)}, float({name}))"]
        for number in self.rule.numbers_of:
            text, read = emit_init.begun(self.rule, number, mark="_")
            lines += [*read, f"{positions.access(number)} = {text}"]
        return lines

    def _record(self):
        options = {k: f"float({k})" if k in self.given else _number(value) for k, value in OPTIONS.items()}
        if "tol" in self.given and "gtol" not in self.given:
            options["gtol"] = "float(tol)"
        limits = ", ".join(options[name] for name in ("gtol", "ftol", "maxiter", "maxfev"))
        latest = "not best" if "best" in self.given else "False"
        positions = beginning.RULE if isinstance(self.rule, Rule) else self.rule.places
        return ["copy(record, RECORD)", f"set_limits(record, {limits}, {latest}, {positions})"]

    def _start(self):
        lines = ["x, box = block[X], block[LOWER:]", *_entries("x[{}]", "x0", self.given["x0"])]
        lines += ["if not finite(x):", '    raise ValueError("x0 is not finite")']
        if self.bounded:
            lines += self._bounds()
        lines += ["prepare(block, box)"]
        hyper = {name: self.rule.hyper.get(name) for name in self.rule.slots_of}
        arrays = {name: value.values.reshape(-1) for name, value in hyper.items() if isinstance(value, PerCoordinate)}
        for name, values in arrays.items():
            text = f"{self.rule.name}: {name} has {values.size} values, but must have one for each entry of x0"
            lines += [f"if n != {values.size}:", f'    raise ValueError("{text}, or be one number")']
        if arrays:
            rows = np.zeros((len(arrays), max(values.size for values in arrays.values())), str(self.real))
            for row, values in zip(rows, arrays.values(), strict=True):
                row[: values.size] = values
            self.names["PER_COORDINATE"] = rows
        lines += [f"begin(x, s, h, box, {'PER_COORDINATE' if arrays else 'block'})"]
        lines += [f"record[MORE] = {self.objective.cost}"]
        return [*lines, f"pack = ({', '.join(self.objective.pack.values())},)"]

    def _bounds(self):
        """Return lines that read bounds: a tuple of pairs, or an array or a list of pairs."""
        kind = self.given["bounds"]
        if isinstance(kind, types.BaseTuple):
            pairs = list(kind)
            if not all(isinstance(pair, types.BaseTuple) and len(pair) == 2 for pair in pairs):
                raise TypingError(f"bounds must be pairs (lower, upper), not {kind}")
            sides = [[_side(pair[j], f"bounds[{i}][{j}]", j) for j in (0, 1)] for i, pair in enumerate(pairs)]
            read = [f"set_bounds(box, {i}, {low}, {high})" for i, (low, high) in enumerate(sides)]
            is_wrong = f"n != {len(pairs)}"
        else:
            is_wrong = "len(bounds) != n"
            if isinstance(kind, types.Array):
                if kind.ndim != 2:
                    raise TypingError(f"bounds must be an array of shape (n, 2), or pairs, not {kind}")
                is_wrong += " or bounds.shape[1] != 2"
            read = ["for i in range(n):", "    set_bounds(box, i, bounds[i][0], bounds[i][1])"]
        error = '    raise ValueError("bounds must be pairs (lower, upper), one for each entry of x0")'
        return [f"if {is_wrong}:", error, *read]

    def _reported(self):
        """Return lines that evaluate the point that the rule reports, as `Run.evaluate_reported` does."""
        if not self.rule.has_reported_point:
            return []
        math, pairs = next(stage for stage in reversed(self.rule._stages) if stage[0].report is not None)
        positions = layout(self.rule.program)
        texts = {name: positions.access(name, {"t": "t_"}, "max(t_ - 1, 0)") for name in positions.offsets}
        texts |= {name: f"s[{i}]" for i, name in enumerate(self.rule.slots_of)}
        arguments = {author: texts.get(whole) or repr(self.rule.hyper.get(whole)) for author, whole in pairs}
        arguments |= {"x": "x", "t": "t_"}
        self.names["report_"] = jit(math.report, cached=False)
        parameters = math.report.__code__.co_varnames[: math.report.__code__.co_argcount]
        call = f"report_({', '.join(arguments[name] for name in parameters)})"
        lines = [
            "if finite(x) and record[NFEV] < record[MOST_NFEV]:",
            "    t_ = int(record[NIT])",
            f"    copy(spare[0], {call})",
            "    clip(spare[0], box)",
            "    f_ = evaluate(spare[0], spare[1], pack)",
            "    record[NFEV] += evaluations(f_, record)",
            "    keep_reported(f_, spare[0], spare[1], block, record)",
        ]
        return lines

    def _unevaluated(self):
        """Return lines that set entries of the gradient to NaN that were not evaluated because bounds are equal."""
        if not self.bounded or self.objective.form not in ("2-point", "3-point"):
            return []
        return ["mark_unevaluated(block[row], box)"]


def _number(value):
    return repr(float(value)) if np.isfinite(value) else f"np.{value}" if value >= 0 or value != value else "-np.inf"


def _real(kind):
    if isinstance(kind, types.Array) and kind.ndim == 1 and isinstance(kind.dtype, (types.Float, types.Integer)):
        return types.float32 if kind.dtype == types.float32 else types.float64
    if isinstance(kind, types.BaseTuple) and all(isinstance(k, (types.Float, types.Integer)) for k in kind):
        return types.float64
    raise TypingError(f"x0 must be a one-dimensional array of real numbers, or a tuple of these, not {kind}")


def _entries(target, name, kind):
    """Return lines that copy the entries of an array, or those of a tuple, whose types may differ."""
    if isinstance(kind, types.BaseTuple):
        return [f"{target.format(i)} = {name}[{i}]" for i in range(len(kind))]
    return ["for i in range(n):", f"    {target.format('i')} = {name}[i]"]


def _side(kind, text, side):
    """Return the expression for one side of a pair of bounds; None means that there is no bound."""
    if isinstance(kind, types.NoneType):
        return ("-np.inf", "np.inf")[side]
    if not isinstance(kind, (types.Float, types.Integer)):
        raise TypingError(f"bounds must be pairs of numbers or None; {text} is {kind}")
    return text
