"""Optimizer: a rule, the parameters it changes in place, and their state, for a loop of your own."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.lib.array_utils import byte_bounds

from numbaopt.checks import describe
from numbaopt.registry import get
from numbaopt.rule import Rule
from numbaopt.state import contiguous, valued
from numbaopt.structure import Structure


class Group:
    """Parameters that share a rule with its hyperparameters.

    Attributes
    ----------
    params : array, or dict, list or tuple of arrays
        The caller's own arrays.
    grads : the same structure
        Views of one flat buffer, zero at first.
    rule : Rule
        May be replaced by one with other hyperparameters: ``group.rule = group.rule(lr=1e-4)``.
    """

    def __init__(self, rule, params):
        shapes = _stand_ins(params)
        self._rule, self.params, self.structure = rule, params, Structure(shapes, "params")
        leaves = self.structure.leaves(params, "params")
        names = [f"params{path}" for path in self.structure.paths]
        device = any(map(_on_device, leaves))
        for leaf, like, name in zip(leaves, self.structure.leaves(shapes, "params"), names, strict=True):
            if _on_device(leaf) != device:
                raise TypeError(f"{name}: a group's parameters are all NumPy arrays or all device arrays")
            if not device:
                contiguous(leaf, name, writable=True)
            if like.dtype != self.structure.dtype:
                raise TypeError(f"{name} is {like.dtype}, another of its group {self.structure.dtype}: make two groups")
        if device:
            from numbaopt import cuda

            self._flat = cuda.zeros(self.structure.size, self.structure.dtype)
        else:
            self._flat, leaves = np.zeros(self.structure.size, self.structure.dtype), [a.reshape(-1) for a in leaves]
        self.grads = self.structure.views(self._flat)
        self._views = self.structure.leaves(self.grads, "grads")
        self._parts = self._views if device else [self._flat[lo:hi] for lo, hi in self.structure.segments]
        self._leaves, self._whole, shapes = leaves, None, self.structure.shapes
        if rule.joint and len(leaves) > 1:  # one state for all, which are stepped in a buffer of their own
            if rule.layerwise:
                raise ValueError(f"{rule.name} takes norms of each array and sums over all: give it one array")
            make = cuda.zeros if device else np.zeros
            self._whole = make(self.structure.size, self.structure.dtype)
            self._copy(inwards=True)
            self.states = [rule.init(self._whole)]
        else:
            self.states = [rule.shaped(shape).init(leaf) for shape, leaf in zip(shapes, leaves, strict=True)]

    @property
    def rule(self):
        """The rule, with its hyperparameters."""
        return self._rule

    @rule.setter
    def rule(self, rule):
        self._rule = self.accepted(rule)

    def accepted(self, rule):
        """Return ``rule``, or raise TypeError if it is another method than this group's, or has other slots."""
        if not isinstance(rule, Rule) or (rule._stages, rule.slots_of) != (self._rule._stages, self._rule.slots_of):
            raise TypeError(f"a running group keeps its method, {self._rule.name}, and its slots; {rule!r} has others")
        return rule

    def _copy(self, inwards):
        """Copy the parameters to the buffer in which they are stepped, or back."""
        for leaf, (lo, hi) in zip(self._leaves, self.structure.segments, strict=True):
            place = self._whole[lo:hi]
            _assign(*((place, leaf) if inwards else (leaf, place)))

    def step(self, work, f):
        """Do the steps of a list from `buffered` or `gather`."""
        if self._whole is not None and work:
            self._copy(inwards=True)
        for x, g, state in work:
            self._rule.step(x, g, state, f)
        if self._whole is not None and work:
            self._copy(inwards=False)

    def reported(self):
        """Return the points to report, in the structure of the parameters: copies."""
        flat = np.empty(self.structure.size, self.structure.dtype)
        places = [(0, flat.size)] if self._whole is not None else self.structure.segments
        for (lo, hi), state, leaf in zip(places, self.states, self._leaves, strict=False):
            if self._whole is not None:
                self._copy(inwards=True)
            x, s = (np.array(a).reshape(-1) for a in (leaf if self._whole is None else self._whole, state.s))
            flat[lo:hi] = state.rule.reported(x, s.reshape(state.s.shape), state.fetched(), state.t)
        return self.structure.views(flat)

    def buffered(self):
        """Return (leaf, gradient, state) for every parameter, the gradients being those of the buffer."""
        leaves = self.structure.leaves(self.grads, "grads")
        for mine, view, path in zip(leaves, self._views, self.structure.paths, strict=True):
            if mine is not view:
                raise ValueError(f"grads{path} was replaced: fill it, grads{path}[:] = ..., or give step() gradients")
        if self._whole is not None:
            return [(self._whole, self._flat, self.states[0])]
        return list(zip(self._leaves, self._parts, self.states, strict=True))

    def gather(self, grads):
        """Return (leaf, gradient, state) for every parameter that has a gradient, all checked."""
        if grads is None:  # for the whole group
            return []
        if self._whole is not None:
            return self._joined(grads)
        work = []
        for i, g in enumerate(self.structure.leaves(grads, "grads")):
            if g is None:
                continue
            if g is self._views[i]:
                g = self._parts[i]
            elif _on_device(self._leaves[i]):
                try:
                    self.states[i]._step.view(g, "g")
                except (TypeError, ValueError) as error:
                    raise type(error)(f"grads{self.structure.paths[i]}: {error}") from None
            else:
                g = self.structure.convert(i, g, f"grads{self.structure.paths[i]}")
                g = np.require(g.reshape(-1), self.structure.dtype, ["C", "A", "W"])
            work.append((self._leaves[i], g, self.states[i]))
        return work

    def _joined(self, grads):
        leaves = self.structure.leaves(grads, "grads")
        if any(g is None for g in leaves):
            raise ValueError(f"{self._rule.name} takes sums over all parameters: each needs a gradient, if only of zeros")
        if any(map(_on_device, leaves)):
            from numbaopt import cuda

            flat = cuda.zeros(self.structure.size, self.structure.dtype)
            for g, (lo, hi) in zip(leaves, self.structure.segments, strict=True):
                _assign(flat[lo:hi], g)
            return [(self._whole, flat, self.states[0])]
        flat = np.empty(self.structure.size, self.structure.dtype)
        self.structure.write(grads, flat, "grads")
        return [(self._whole, flat, self.states[0])]


class Optimizer:
    """A rule at work on parameters that it changes in place.

    Parameters
    ----------
    rule : Rule or str
        The method: ``adam(lr=1e-3)`` or ``"adam"``.
    params : array, dict, list or tuple of arrays, or list of dicts with a key ``"params"``
        float32 or float64, C-contiguous, writable: NumPy arrays, or device arrays that are then stepped where they
        lie. A list of dicts makes groups, as in torch: the other keys are that group's hyperparameters, or its
        ``"rule"``.

    Attributes
    ----------
    grads
        Gradients in the structure of ``params`` (a list of such with groups): views of one flat buffer, to accumulate
        into, which `step` reads where it is given nothing.
    groups : list of Group

    Raises
    ------
    TypeError, ValueError
        For parameters that cannot be changed in place, naming them.

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

    def __init__(self, rule, params):
        rule = get(rule)
        self._grouped = isinstance(params, list) and bool(params) and all(_is_group(p) for p in params)
        self.groups = []
        for group in params if self._grouped else [{"params": params}]:
            own = {key: value for key, value in group.items() if key not in ("params", "rule")}
            self.groups.append(Group(get(group.get("rule", rule))(**own), group["params"]))
        leaves, names = [], []
        for i, group in enumerate(self.groups):
            leaves += group._leaves
            names += [f"params{path}" + f" of group {i}" * self._grouped for path in group.structure.paths]
        _apart(leaves, names)

    @property
    def params(self):
        """The parameters as they were given."""
        return [g.params for g in self.groups] if self._grouped else self.groups[0].params

    @property
    def grads(self):
        """Gradients to accumulate into, in the structure of the parameters."""
        return [g.grads for g in self.groups] if self._grouped else self.groups[0].grads

    def zero_grad(self):
        """Set the gradient buffer to zero."""
        for group in self.groups:
            _assign(group._flat, 0)

    def step(self, grads=None, f=None):
        """Do one step of every parameter that has a gradient.

        Parameters
        ----------
        grads : the structure of ``params``, optional
            Gradients; a parameter whose gradient is None is left alone. By default the buffer `grads`.
        f : float, optional
            The objective's value, for rules that ask for it.

        Raises
        ------
        TypeError, ValueError
            When a gradient does not fit its parameter. Nothing has changed then.
        """
        if grads is None:
            work = [(group, group.buffered()) for group in self.groups]
        else:
            given = grads if self._grouped else [grads]
            if not isinstance(given, (list, tuple)) or len(given) != len(self.groups):
                raise ValueError(f"grads is a list of {len(self.groups)}, one for each group, not {describe(grads)}")
            work = [(group, group.gather(own)) for group, own in zip(self.groups, given, strict=True)]
        for group, _ in work:
            if group.rule.valued:
                valued(group.rule, f)
        for group, triples in work:
            group.step(triples, f)

    def reported(self):
        """Return copies of the points to report, in the structure of ``params``.

        They are the parameters themselves for most rules; an average of them where a rule or a stage of its chain
        keeps one (`schedule_free_adamw`, `transforms.ema`).
        """
        points = [group.reported() for group in self.groups]
        return points if self._grouped else points[0]

    def set(self, **hyper):
        """Set hyperparameters in all groups: ``opt.set(lr=1e-4)``."""
        for group, rule in [(group, group.accepted(group.rule(**hyper))) for group in self.groups]:
            group.rule = rule

    def state_dict(self):
        """Return a copy of all that is needed to go on later: rules' names, hyperparameters, step numbers, slots."""
        return {
            "groups": [
                {
                    "rule": group.rule.name,
                    "hyper": dict(group.rule.hyper),
                    "t": [state.t for state in group.states],
                    "slots": [_slots(state) for state in group.states],
                    "numbers": [{n: state[n] for n in state.rule.numbers_of} for state in group.states],
                }
                for group in self.groups
            ]
        }

    def load_state_dict(self, saved):
        """Go on from what `state_dict` returned. All of it is checked before anything changes.

        Raises
        ------
        ValueError
            When it was saved by another method, or for other parameters; the message says what differs.
        """
        try:
            groups = [
                (g["rule"], dict(g["hyper"]), list(g["t"]), *(list(map(dict, g[key])) for key in ("slots", "numbers")))
                for g in saved["groups"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is not what state_dict() returns: {error!r}") from None
        if len(groups) != len(self.groups):
            raise ValueError(f"the state has {len(groups)} groups; this optimizer has {len(self.groups)}")
        ready = []
        for i, (group, (name, hyper, t, slots, numbers)) in enumerate(zip(self.groups, groups, strict=True)):
            where = f"group {i} of the state"
            if name != group.rule.name:
                raise ValueError(f"{where} is of {name}; here it is {group.rule.name}")
            try:
                rule = group.rule(**hyper)
            except TypeError as error:
                raise ValueError(f"{where}: {error}") from None
            if not len(t) == len(slots) == len(numbers) == len(group.states):
                raise ValueError(f"{where} is for {len(t)} parameters; here there are {len(group.states)}")
            for state, steps, own, carried in zip(group.states, t, slots, numbers, strict=True):
                shapes = {k: np.shape(v) for k, v in own.items()}
                here = {k: np.shape(v) for k, v in _slots(state).items()}
                if set(carried) != set(state.rule.numbers_of):
                    raise ValueError(f"{where} has the numbers {sorted(carried)}; here are {state.rule.numbers_of}")
                if rule.slots_of != group.rule.slots_of or shapes != here:
                    raise ValueError(f"{where} has slots of shapes {shapes}; here they are {here}")
                if any(np.asarray(values).dtype.kind != "f" for values in own.values()):
                    raise ValueError(f"{where} has slots that are not arrays of real numbers")
                if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
                    raise ValueError(f"{where} has the step number {steps!r}; it is an integer from 0")
                values = [np.asarray(own[k]) for k in state.rule.slots_of]
                if any(value.dtype.kind not in "fiub" for value in values):
                    raise ValueError(f"{where} has slots that are not real numbers, but {[v.dtype for v in values]}")
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
                _assign(target.s, content[0])
                target.carry(content[1])

    def __getstate__(self):
        # Views of the caller's arrays do not survive copying as views: make them anew.
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


def _slots(state):
    """Return copies of a state's slots by name, flat or, where x is seen as a matrix, as matrices."""
    s = np.array(state.s)
    return {name: np.array(state.rule.slot(s, name)) for name in state.rule.slots_of}


def _on_device(leaf):
    return hasattr(leaf, "__cuda_array_interface__")


def _apart(leaves, names):
    """Raise ValueError if two parameters share memory: it would be stepped twice."""
    pairs = zip(leaves, names, strict=True)
    spans = sorted((*byte_bounds(leaf), name) for leaf, name in pairs if isinstance(leaf, np.ndarray) and leaf.size)
    for (_, end, name), (start, _, other) in pairwise(spans):
        if start < end:
            raise ValueError(f"{other} shares memory with {name}: a parameter is listed once")


def _assign(array, values):
    if _on_device(array):
        from numbaopt import cuda

        cuda.assign(array, values)
    else:
        array[:] = values


def _is_group(item):
    return isinstance(item, Mapping) and "params" in item


def _stand_ins(tree):
    """Return the tree with NumPy arrays of no memory in the place of device arrays."""
    if isinstance(tree, Mapping):
        return {key: _stand_ins(child) for key, child in tree.items()}
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        return type(tree)(_stand_ins(child) for child in tree)
    if not _on_device(tree):
        return tree
    interface = tree.__cuda_array_interface__
    return np.broadcast_to(np.zeros((), interface["typestr"]), interface["shape"])
