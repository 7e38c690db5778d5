"""The class `Optimizer`: a rule, the parameters that it changes in place, and their state."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from numbaopt.api.param_group import Group, contents
from numbaopt.backends import dispatch
from numbaopt.common.validation import describe
from numbaopt.methods.registry import get
from numbaopt.methods.state import objective_value

if TYPE_CHECKING:
    from numbaopt.methods.rule import Rule


class Optimizer:
    """A rule together with the parameters that it changes in place.

    Parameters
    ----------
    rule : Rule or str
        The method: ``adam(lr=1e-3)`` or ``"adam"``.
    params : array, dict, list or tuple of arrays, or list of dicts with a key ``"params"``
        float32 or float64, C-contiguous and writable. They are NumPy arrays, or device arrays, which are stepped on
        their device. NumPy arrays may be complex: they are stepped as their real and imaginary parts, and their
        gradients are complex, too, dL/dRe + 1j dL/dIm, as in torch. A list of dicts makes groups, as in torch: the
        other keys are the hyperparameters of the group, or its ``"rule"``.

    Attributes
    ----------
    params : array, dict, list or tuple of arrays, or list of these
        The parameters, as they were passed; with groups, a list of the parameters of each.
    grads : the structure of ``params``
        Gradients to accumulate into. They are views of one flat buffer, which `step` uses if it is called without
        gradients.
    groups : list of Group
        The rule, parameters and states of each group. There is one group unless ``params`` is a list of groups.

    Raises
    ------
    TypeError, ValueError
        If a parameter cannot be changed in place; the message names it.

    Examples
    --------
    >>> import numpy as np, numbaopt
    >>> params = {"w": np.ones((2, 3)), "b": np.zeros(3)}
    >>> opt = numbaopt.Optimizer(numbaopt.sgd(lr=0.5), params)
    >>> opt.grads["w"][:] = 1.0
    >>> opt.step()
    >>> params["w"]
    array([[0.5, 0.5, 0.5],
           [0.5, 0.5, 0.5]])
    """

    groups: list[Group]

    def __init__(self, rule: "str | Rule", params: Any):
        rule = get(rule)
        self._grouped = isinstance(params, list) and bool(params) and all(_is_group(p) for p in params)
        self.groups = []
        for group in params if self._grouped else [{"params": params}]:
            hyper = {key: value for key, value in group.items() if key not in ("params", "rule")}
            self.groups.append(Group(get(group.get("rule", rule))(**hyper), group["params"]))
        leaves, names = [], []
        for i, group in enumerate(self.groups):
            leaves += group._leaves
            names += [f"params{path}" + f" of group {i}" * self._grouped for path in group.structure.paths]
        _check_memory(leaves, names)

    @property
    def params(self) -> Any:
        """The parameters as they were passed."""
        return [g.params for g in self.groups] if self._grouped else self.groups[0].params

    @property
    def grads(self) -> Any:
        """Gradients to accumulate into, in the structure of the parameters."""
        return [g.grads for g in self.groups] if self._grouped else self.groups[0].grads

    def zero_grad(self) -> None:
        """Set the gradient buffer to zero."""
        for group in self.groups:
            dispatch.of(group._flat).assign(group._flat, 0)

    def step(self, grads: Any = None, f: float | None = None) -> None:
        """Do one step of every parameter that has a gradient.

        Parameters
        ----------
        grads : the structure of ``params``, optional
            Gradients; a parameter whose gradient is None is not stepped. By default the buffer `grads` is used.
        f : float, optional
            The objective's value, for rules that need it.

        Raises
        ------
        TypeError, ValueError
            If a gradient does not fit its parameter. Nothing has changed then.
        """
        if grads is None:
            work = [(group, group.buffered()) for group in self.groups]
        else:
            each = grads if self._grouped else [grads]
            if not isinstance(each, (list, tuple)) or len(each) != len(self.groups):
                raise ValueError(f"grads is a list of {len(self.groups)}, one for each group, not {describe(grads)}")
            work = [(group, group.gather(tree)) for group, tree in zip(self.groups, each, strict=True)]
        for group, _ in work:
            if group.rule.needs_value:
                objective_value(group.rule, f)
        for group, triples in work:
            group.step(triples, f)

    def reported(self) -> Any:
        """Return copies of the points to report, in the structure of ``params``.

        For most rules they are the parameters themselves. If a rule or a stage of its chain keeps an average of them
        (`schedule_free_adamw`, `transforms.ema`), they are that average.

        Returns
        -------
        array, dict, list or tuple of arrays
            New arrays; with groups, a list of these.
        """
        points = [group.reported() for group in self.groups]
        return points if self._grouped else points[0]

    def set(self, **hyper: Any) -> None:
        """Set hyperparameters in all groups: ``opt.set(lr=1e-4)``.

        Parameters
        ----------
        **hyper
            Values by name. For one group, use ``opt.groups[0].rule = ...``.

        Raises
        ------
        TypeError, ValueError
            If the rule of a group does not take a value. Nothing has changed then.
        """
        for group, rule in [(group, group.accepted(group.rule(**hyper))) for group in self.groups]:
            group.rule = rule

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything needed to resume: the rules' names, hyperparameters, step numbers and slots.

        Returns
        -------
        dict
            It consists of lists, dicts, numbers, schedules and NumPy arrays (also for device arrays), and can be
            pickled.
        """
        return {
            "groups": [
                {
                    "rule": group.rule.name,
                    "hyper": dict(group.rule.hyper),
                    "t": [state.t for state in group.saved],
                    "slots": [contents(state) for state in group.saved],
                    "numbers": [{n: state[n] for n in state.rule.numbers_of} for state in group.saved],
                }
                for group in self.groups
            ]
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Resume from what `state_dict` returned. All of it is checked before anything changes.

        Parameters
        ----------
        saved : dict
            From `state_dict` of an optimizer with the same methods and parameters of the same shapes.

        Raises
        ------
        ValueError
            If it was saved by another method, or for other parameters; the message says what differs.
        """
        try:
            groups = [
                (g["rule"], dict(g["hyper"]), list(g["t"]), *(list(map(dict, g[key])) for key in ("slots", "numbers")))
                for g in saved["groups"]
            ]
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"this is not what state_dict() returns: {describe(saved)}") from None
        if len(groups) != len(self.groups):
            raise ValueError(f"the state is of {len(groups)} group(s); this optimizer has {len(self.groups)}")
        ready: list[Any] = []
        for i, (group, (name, hyper, t, slots, numbers)) in enumerate(zip(self.groups, groups, strict=True)):
            where = f"group {i} of the state"
            if name != group.rule.name:
                raise ValueError(f"{where} is of {name}; here it is {group.rule.name}")
            try:
                rule = group.rule(**hyper)
            except TypeError as error:
                raise ValueError(f"{where}: {error}") from None
            if not len(t) == len(slots) == len(numbers) == len(group.saved):
                raise ValueError(f"{where} is for {len(t)} parameters; here there are {len(group.saved)}")
            for state, steps, arrays, carried in zip(group.saved, t, slots, numbers, strict=True):
                shapes = {k: np.shape(v) for k, v in arrays.items()}
                here = {k: np.shape(v) for k, v in contents(state).items()}
                if set(carried) != set(state.rule.numbers_of):
                    raise ValueError(f"{where} has the numbers {sorted(carried)}; here are {state.rule.numbers_of}")
                if rule.slots_of != group.rule.slots_of or shapes != here:
                    raise ValueError(f"{where} has slots of shapes {shapes}; here they are {here}")
                if any(np.asarray(values).dtype.kind != "f" for values in arrays.values()):
                    raise ValueError(f"{where} has slots that are not arrays of real numbers")
                if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
                    raise ValueError(f"{where} has the step number {steps!r}; it is an integer from 0")
                values = [np.asarray(arrays[k]) for k in state.rule.slots_of]
                flat = np.zeros(state.s.size, state.s.dtype)
                filled = [flat[:0], *(value.reshape(-1) for value in values)]
                flat[: sum(part.size for part in filled)] = np.concatenate(filled)
                ready.append((state, int(steps), (flat.reshape(state.s.shape), carried)))
            ready.append((group, rule, None))
        for target, value, content in ready:
            if content is None:
                target.rule = value
            else:
                target.t = value
                dispatch.of(target.s).assign(target.s, content[0])
                target.carry(content[1])

    def __getstate__(self):
        # Copies of the views would not be views of the copied arrays: they are made anew.
        groups = [{"params": group.params, "rule": group.rule} for group in self.groups]
        return {"groups": groups, "grouped": self._grouped, "state": self.state_dict(), "grads": self.grads}

    def __setstate__(self, saved):
        self._grouped = saved["grouped"]
        self.groups = [Group(group["rule"], group["params"]) for group in saved["groups"]]
        self.load_state_dict(saved["state"])
        for group, grads in zip(self.groups, saved["grads"] if self._grouped else [saved["grads"]], strict=True):
            group.structure.write(grads, group._flat, "grads")

    def __repr__(self):
        inner = ", ".join(f"{group.rule!r} on {group.structure.size} entries" for group in self.groups)
        return f"Optimizer({inner}; t={self.groups[0].states[0].t if self.groups[0].states else 0})"


def _check_memory(leaves, names):
    """Raise ValueError if two parameters share memory, which would be stepped twice."""
    pairs = zip(leaves, names, strict=True)
    spans = sorted((*byte_bounds(leaf), name) for leaf, name in pairs if isinstance(leaf, np.ndarray) and leaf.size)
    for (_, end, name), (start, _, other) in pairwise(spans):
        if start < end:
            raise ValueError(f"{other} shares memory with {name}: a parameter is listed once")


def _is_group(item):
    return isinstance(item, Mapping) and "params" in item
