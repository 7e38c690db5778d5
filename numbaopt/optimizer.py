"""Optimizer: a rule, the parameters it changes in place, and their state, for a loop of your own."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.lib.array_utils import byte_bounds

from numbaopt.checks import describe
from numbaopt.registry import get
from numbaopt.rule import Rule
from numbaopt.state import contiguous
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
        self._leaves, self.states = leaves, [rule.init(leaf) for leaf in leaves]

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

    def buffered(self):
        """Return (leaf, gradient, state) for every parameter, the gradients being those of the buffer."""
        leaves = self.structure.leaves(self.grads, "grads")
        for mine, view, path in zip(leaves, self._views, self.structure.paths, strict=True):
            if mine is not view:
                raise ValueError(f"grads{path} was replaced: fill it, grads{path}[:] = ..., or give step() gradients")
        return list(zip(self._leaves, self._parts, self.states, strict=True))

    def gather(self, grads):
        """Return (leaf, gradient, state) for every parameter that has a gradient, all checked."""
        if grads is None:  # for the whole group
            return []
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

    def step(self, grads=None):
        """Do one step of every parameter that has a gradient.

        Parameters
        ----------
        grads : the structure of ``params``, optional
            Gradients; a parameter whose gradient is None is left alone. By default the buffer `grads`.

        Raises
        ------
        TypeError, ValueError
            When a gradient does not fit its parameter. Nothing has changed then.
        """
        if grads is None:
            work = [(group._rule, group.buffered()) for group in self.groups]
        else:
            given = grads if self._grouped else [grads]
            if not isinstance(given, (list, tuple)) or len(given) != len(self.groups):
                raise ValueError(f"grads is a list of {len(self.groups)}, one for each group, not {describe(grads)}")
            work = [(group._rule, group.gather(own)) for group, own in zip(self.groups, given, strict=True)]
        for rule, triples in work:
            for x, g, state in triples:
                rule.step(x, g, state)

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
                    "slots": [dict(zip(group.rule.slots_of, np.array(state.s), strict=True)) for state in group.states],
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
            groups = [(g["rule"], dict(g["hyper"]), list(g["t"]), list(map(dict, g["slots"]))) for g in saved["groups"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is not what state_dict() returns: {error!r}") from None
        if len(groups) != len(self.groups):
            raise ValueError(f"the state has {len(groups)} groups; this optimizer has {len(self.groups)}")
        ready = []
        for i, (group, (name, hyper, t, slots)) in enumerate(zip(self.groups, groups, strict=True)):
            where = f"group {i} of the state"
            if name != group.rule.name:
                raise ValueError(f"{where} is of {name}; here it is {group.rule.name}")
            try:
                rule = group.rule(**hyper)
            except TypeError as error:
                raise ValueError(f"{where}: {error}") from None
            if len(t) != len(group.states) or len(slots) != len(group.states):
                raise ValueError(f"{where} is for {len(t)} parameters; here there are {len(group.states)}")
            for state, steps, own in zip(group.states, t, slots, strict=True):
                shapes = {k: np.shape(v) for k, v in own.items()}
                here = dict.fromkeys(rule.slots_of, state.s.shape[1:])
                if rule.slots_of != group.rule.slots_of or shapes != here:
                    raise ValueError(f"{where} has slots of shapes {shapes}; here they are {here}")
                if any(np.asarray(values).dtype.kind != "f" for values in own.values()):
                    raise ValueError(f"{where} has slots that are not arrays of real numbers")
                if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
                    raise ValueError(f"{where} has the step number {steps!r}; it is an integer from 0")
                values = [np.asarray(own[k]) for k in rule.slots_of]
                if any(value.dtype.kind not in "fiub" for value in values):
                    raise ValueError(f"{where} has slots that are not real numbers, but {[v.dtype for v in values]}")
                ready.append((state, int(steps), [value.astype(state.s.dtype) for value in values]))
            ready.append((group, rule, None))
        for target, value, slots in ready:
            if slots is None:
                target.rule = value
            else:
                target.t = value
                _assign(target.s, np.array(slots, target.s.dtype).reshape(target.s.shape))

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
