"""A group of parameters with their gradients and states, stored as a rule needs them."""

from collections.abc import Mapping

import numpy as np

from numbaopt.backends import dispatch
from numbaopt.backends.dispatch import copy, on_device
from numbaopt.common.per_coordinate import Coordinates
from numbaopt.common.tree import Structure
from numbaopt.methods.rule import Rule
from numbaopt.methods.state import contiguous, parts


class Group:
    """Parameters that share a rule with its hyperparameters.

    Most rules update each array in its own memory. A rule that takes sums over all arrays, or has a hyperparameter for
    each coordinate, updates a copy of all arrays in one buffer, which is copied back. A chain in which such a stage
    precedes a rule that works array by array is split in two by `Rule.split`.

    Attributes
    ----------
    params : array, or dict, list or tuple of arrays
        The arrays that the user passed.
    grads : the structure of ``params``
        Views of one flat buffer, which starts at zero.
    rule : Rule
        It may be replaced by the same rule with other hyperparameters: ``group.rule = group.rule(lr=1e-4)``.
    states : list of State
        One for each array, or one for all arrays.
    """

    def __init__(self, rule, params):
        shapes = _stand_ins(params)
        self._rule, self.params, self.structure = rule, params, Structure(shapes, "params")
        leaves = self.structure.leaves(params, "params")
        names = [f"params{path}" for path in self.structure.paths]
        device = any(map(on_device, leaves))
        for leaf, like, name in zip(leaves, self.structure.leaves(shapes, "params"), names, strict=True):
            if on_device(leaf) != device:
                raise TypeError(f"{name}: a group's parameters are all NumPy arrays or all device arrays")
            if not device:
                contiguous(leaf, name, writable=True)
            elif np.iscomplexobj(like):
                raise TypeError(f"{name} is {like.dtype}: on a device parameters are real")
            if like.real.dtype != self.structure.dtype:
                raise TypeError(f"{name} is {like.dtype}, another of its group {self.structure.dtype}: make two groups")
        self._flat = self._buffer(device)
        self._leaves = leaves if device else [parts(a).reshape(-1) for a in leaves]
        self.grads = self.structure.views(self._flat)
        self._views = self.structure.leaves(self.grads, "grads")
        self._parts = self._views if device else [self._flat[lo:hi] for lo, hi in self.structure.segments]
        self._whole = self._head = None
        by_coordinate = any(isinstance(value, Coordinates) for value in rule.hyper.values())
        if (rule.needs_global_sum or (by_coordinate and not rule.needs_norms)) and len(leaves) > 1:
            self._whole, self._given = self._buffer(device), self._buffer(device)
            _copy(self._leaves, self._pieces(self._whole))
        if self._whole is None or rule.needs_norms:
            _, rest = self._split()
            each = zip(self.structure.real_shapes, self._leaves, strict=True)
            self.states = [rest.shaped(shape).init(leaf) for shape, leaf in each]
        else:
            self.states = [rule.init(self._whole)]
        if self._whole is not None and rule.needs_norms:
            self._head = self._split()[0].init(self._whole)

    def _buffer(self, device):
        if device:
            return dispatch.cuda().zeros(self.structure.size, self.structure.dtype)
        return np.zeros(self.structure.size, self.structure.dtype)

    def _pieces(self, flat):
        """Return the part of each array; on a device, in the shape of the array."""
        parts = [flat[lo:hi] for lo, hi in self.structure.segments]
        if not on_device(flat):
            return parts
        return [part.reshape(shape) for part, shape in zip(parts, self.structure.shapes, strict=True)]

    def _split(self):
        """Return the rule for all arrays together, or None, and the rule for each array."""
        both = self._whole is not None and self._rule.needs_norms
        return self._rule.split() if both else (None, self._rule)

    @property
    def rule(self):
        """The rule, with its hyperparameters."""
        return self._rule

    @rule.setter
    def rule(self, rule):
        self._rule = self.accepted(rule)

    @property
    def saved(self):
        """All states; that of the rule for all arrays together is the last."""
        return self.states + [self._head] * (self._head is not None)

    def accepted(self, rule):
        """Return ``rule``; raise TypeError if it is another method than that of this group, or has other slots."""
        if not isinstance(rule, Rule) or (rule._stages, rule.slots_of) != (self._rule._stages, self._rule.slots_of):
            raise TypeError(f"a running group keeps its method, {self._rule.name}, and its slots; {rule!r} has others")
        return rule

    def step(self, work, f=None):
        """Update the parameters of a list from `buffered` or `gather`."""
        if self._whole is None or not work:
            for x, g, state in work:
                self._rule.step(x, g, state, f)
            return
        _copy(self._leaves, self._pieces(self._whole))
        _copy([g for _, g, _ in work], self._pieces(self._given))  # a copy, because a stage may change the gradient
        head, rest = self._split()
        if head is None:
            rest.step(self._whole, self._given, self.states[0], f)
        else:
            head.step(self._whole, self._given, self._head)
        _copy(self._pieces(self._whole), self._leaves)
        if head is not None and head.gate(self._head.fetched(), self._head.t) is not None:
            for x, g, state in zip(self._leaves, self._pieces(self._given), self.states, strict=True):
                rest.step(x, g, state, f)

    def reported(self):
        """Return copies of the points to report, in the structure of the parameters."""
        head, rest = self._split()
        if head is not None and head.has_reported_point and not rest.has_reported_point:
            _copy(self._leaves, self._pieces(self._whole))
            points = [_reported(self._whole, self._head)]
        elif len(self.states) == len(self._leaves):
            points = [_reported(leaf, state) for leaf, state in zip(self._leaves, self.states, strict=True)]
        else:
            _copy(self._leaves, self._pieces(self._whole))
            points = [_reported(self._whole, self.states[0])]
        return self.structure.views(np.concatenate([np.empty(0, self.structure.dtype), *points]))

    def buffered(self):
        """Return (leaf, gradient, state) for every parameter, with the gradients of the buffer."""
        leaves = self.structure.leaves(self.grads, "grads")
        for leaf, view, path in zip(leaves, self._views, self.structure.paths, strict=True):
            if leaf is not view:
                raise ValueError(f"grads{path} was replaced: fill it, grads{path}[:] = ..., or give step() gradients")
        return list(zip(self._leaves, self._parts, self._each(), strict=True))

    def _each(self):
        return self.states if len(self.states) == len(self._leaves) else self.states * len(self._leaves)

    def gather(self, grads):
        """Return (leaf, gradient, state) for every parameter that has a gradient; all gradients are checked."""
        if grads is None:  # the group has no gradients
            return []
        work = []
        for i, (g, state) in enumerate(zip(self.structure.leaves(grads, "grads"), self._each(), strict=True)):
            path = self.structure.paths[i]
            if g is None:
                if self._whole is not None:
                    raise ValueError(f"grads{path} is None, and {self._rule.name} takes sums over all: give zeros")
                continue
            if g is self._views[i]:
                g = self._parts[i]
            elif on_device(self._leaves[i]):
                try:
                    state._step.view(g, "g") if self._whole is None else _check_device_gradient(g, self._leaves[i])
                except (TypeError, ValueError) as error:
                    raise type(error)(f"grads{path}: {error}") from None
            else:
                g = self.structure.convert(i, g, f"grads{path}")
                g = np.require(parts(np.ascontiguousarray(g)).reshape(-1), self.structure.dtype, ["C", "A", "W"])
            work.append((self._leaves[i], g, state))
        return work


def _reported(x, state):
    flat, s = np.array(x).reshape(-1), np.array(state.s)
    return state.rule.reported(flat, s, state.fetched(), state.t)


def _copy(sources, targets):
    """Copy arrays into others of the same sizes."""
    for source, target in zip(sources, targets, strict=True):
        copy(source, target)


def _check_device_gradient(g, leaf):
    """Raise if a device gradient has not the shape and dtype of its parameter."""
    if not on_device(g):
        raise TypeError(f"the parameters lie on a CUDA device, and so must gradients: {type(g).__name__} does not")
    given, wanted = (a.__cuda_array_interface__ for a in (g, leaf))
    if given["shape"] != wanted["shape"] or np.dtype(given["typestr"]) != np.dtype(wanted["typestr"]):
        text = f"shape {given['shape']}, dtype {np.dtype(given['typestr'])}"
        raise ValueError(f"{text}; the parameter has {wanted['shape']}, {np.dtype(wanted['typestr'])}")


def contents(state):
    """Return copies of the slots of a state by name: flat arrays, or matrices for a rule that works on matrices."""
    s = np.array(state.s)
    return {name: np.array(state.rule.slot(s, name)) for name in state.rule.slots_of}


def _stand_ins(tree):
    """Return the tree with device arrays replaced by NumPy arrays that take no memory."""
    if isinstance(tree, Mapping):
        return {key: _stand_ins(child) for key, child in tree.items()}
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        return type(tree)(_stand_ins(child) for child in tree)
    if not on_device(tree):
        return tree
    interface = tree.__cuda_array_interface__
    return np.broadcast_to(np.zeros((), interface["typestr"]), interface["shape"])
