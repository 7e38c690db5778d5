"""`Optimizer`: a rule, the parameters that it updates in place, and their state, for a loop that the user writes."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from numbaopt.api.param_group import Group, contents
from numbaopt.backends.dispatch import assign
from numbaopt.common.validation import describe
from numbaopt.methods.registry import get
from numbaopt.methods.state import valued

if TYPE_CHECKING:
    from numbaopt.methods.rule import Rule


class Optimizer:
    """Update parameters in place by a rule, one step at a time.

    Parameters
    ----------
    rule : Rule or str
        The method: ``adam(lr=1e-3)`` or ``"adam"``.
    params : array, dict, list or tuple of arrays, or list of dicts with a key ``"params"``
        NumPy arrays or device arrays of dtype float32 or float64, C-contiguous and writable. Device arrays are updated
        on their device. NumPy arrays may also be complex: their real and imaginary parts are separate coordinates, and
        their gradients are complex, dL/dRe + 1j dL/dIm, as in torch. A list of dicts defines groups, as in torch: the
        other keys of a dict are the hyperparameters of the group, or its ``"rule"``.

    Attributes
    ----------
    params : array, dict, list or tuple of arrays; with groups, a list of these
        The parameters.
    grads : the structure of ``params``; with groups, a list of these
        Gradients to accumulate into: views of one flat buffer, which `step` uses by default.
    groups : list of Group
        The rule, the parameters and the states of each group. Without groups in ``params``, the list has one entry.

    Raises
    ------
    TypeError, ValueError
        If a parameter cannot be updated in place.

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
        """The parameters, as passed to the constructor."""
        return [g.params for g in self.groups] if self._grouped else self.groups[0].params

    @property
    def grads(self) -> Any:
        """Gradients to accumulate into, in the structure of the parameters."""
        return [g.grads for g in self.groups] if self._grouped else self.groups[0].grads

    def zero_grad(self) -> None:
        """Set the gradient buffer to zero."""
        for group in self.groups:
            assign(group._flat, 0)

    def step(self, grads: Any = None, f: float | None = None) -> None:
        """Update every parameter that has a gradient by one step.

        Parameters
        ----------
        grads : the structure of ``params``, optional
            Gradients, by default the buffer `grads`. A parameter whose gradient is None is not updated.
        f : float, optional
            The value of the objective, for rules that need it.

        Raises
        ------
        TypeError, ValueError
            If a gradient does not match its parameter. Nothing has changed then.
        """
        if grads is None:
            work = [(group, group.buffered()) for group in self.groups]
        else:
            parts = grads if self._grouped else [grads]
            if not isinstance(parts, (list, tuple)) or len(parts) != len(self.groups):
                raise ValueError(f"grads is a list of {len(self.groups)}, one for each group, not {describe(grads)}")
            work = [(group, group.gather(part)) for group, part in zip(self.groups, parts, strict=True)]
        for group, _ in work:
            if group.rule.needs_value:
                valued(group.rule, f)
        for group, triples in work:
            group.step(triples, f)

    def reported(self) -> Any:
        """Return copies of the points to report, in the structure of ``params``.

        For most rules they are the parameters themselves. If the rule or a stage of its chain computes an average, as
        `schedule_free_adamw` and `transforms.ema` do, they are that average.

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
            By name. For one group only, use ``opt.groups[0].rule = ...``.

        Raises
        ------
        TypeError, ValueError
            If the rule of a group does not accept them. Nothing has changed then.
        """
        for group, rule in [(group, group.accepted(group.rule(**hyper))) for group in self.groups]:
            group.rule = rule

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything needed to continue later: names of rules, hyperparameters, step numbers, slots.

        Returns
        -------
        dict
            Lists, dicts, numbers, schedules and NumPy arrays, to which device arrays are copied. It can be pickled.
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
        """Continue from a state that `state_dict` returned. All of it is checked before anything changes.

        Parameters
        ----------
        saved : dict
            From `state_dict` of an optimizer with the same methods, for parameters of the same shapes.

        Raises
        ------
        ValueError
            If it belongs to another method or to other parameters.
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
        for i, (group, state) in enumerate(zip(self.groups, groups, strict=True)):
            ready += _checked(group, state, f"group {i} of the state")
        for target, value, content in ready:
            if content is None:
                target.rule = value
            else:
                target.t = int(value)
                assign(target.s, content[0])
                target.carry(content[1])

    def __getstate__(self):
        # A copy of a view is not a view of the copied array, so the groups are made again in __setstate__.
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


def _checked(group, saved, where):
    """Check the saved state of a group; return what to set: (state, step number, contents), and last (group, rule)."""
    name, hyper, t, slots, numbers = saved
    if name != group.rule.name:
        raise ValueError(f"{where} is of {name}; here it is {group.rule.name}")
    try:
        rule = group.rule(**hyper)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None
    if not len(t) == len(slots) == len(numbers) == len(group.saved):
        raise ValueError(f"{where} is for {len(t)} parameters; here there are {len(group.saved)}")
    if rule.slots_of != group.rule.slots_of:
        raise ValueError(f"{where} has the slots {rule.slots_of}; here they are {group.rule.slots_of}")
    ready = []
    for state, steps, arrays, carried in zip(group.saved, t, slots, numbers, strict=True):
        ready.append((state, steps, (_flat_slots(state, steps, arrays, carried, where), carried)))
    return [*ready, (group, rule, None)]


def _flat_slots(state, steps, arrays, carried, where):
    """Check what was saved of one state; return its slots in one array, as the state has them."""
    shapes = {name: np.shape(values) for name, values in arrays.items()}
    here = {name: np.shape(values) for name, values in contents(state).items()}
    if set(carried) != set(state.rule.numbers_of):
        raise ValueError(f"{where} has the numbers {sorted(carried)}; here are {state.rule.numbers_of}")
    if shapes != here:
        raise ValueError(f"{where} has slots of shapes {shapes}; here they are {here}")
    if any(np.asarray(values).dtype.kind != "f" for values in arrays.values()):
        raise ValueError(f"{where} has slots that are not arrays of real numbers")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise ValueError(f"{where} has the step number {steps!r}; it is an integer from 0")
    values = [np.asarray(arrays[name]) for name in state.rule.slots_of]
    flat = np.zeros(state.s.size, state.s.dtype)
    filled = [flat[:0], *(value.reshape(-1) for value in values)]
    flat[: sum(part.size for part in filled)] = np.concatenate(filled)
    return flat.reshape(state.s.shape)


def _check_memory(leaves, names):
    """Raise ValueError if two parameters share memory, which would be updated twice."""
    pairs = zip(leaves, names, strict=True)
    spans = sorted((*byte_bounds(leaf), name) for leaf, name in pairs if isinstance(leaf, np.ndarray) and leaf.size)
    for (_, end, name), (start, _, other) in pairwise(spans):
        if start < end:
            raise ValueError(f"{other} shares memory with {name}: a parameter is listed once")


def _is_group(item):
    return isinstance(item, Mapping) and "params" in item
