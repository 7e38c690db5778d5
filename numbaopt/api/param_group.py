"""A group of parameters: where they, their gradients and their states are when a rule steps them."""

import functools
from collections.abc import Mapping

import numpy as np

from numbaopt.backends import dispatch
from numbaopt.common.per_coordinate import PerCoordinate
from numbaopt.common.tree import Structure
from numbaopt.methods.rule import Rule


class Group:
    """Parameters that share a rule with its hyperparameters.

    Most rules step each array in place. A rule that takes sums over all arrays, or has a hyperparameter with one value
    for each coordinate, steps a copy of all arrays in one buffer, which is copied back. A chain that takes such sums
    before a rule that steps array by array is `split` in two.

    Attributes
    ----------
    params : array, or dict, list or tuple of arrays
        The arrays of the caller.
    grads : the same structure
        Views of one flat buffer, zero at first.
    rule : Rule
        It may be replaced by one with other hyperparameters: ``group.rule = group.rule(lr=1e-4)``.
    states : list of State
        One for each array, or one for all.
    """

    def __init__(self, rule, params):
        shapes = _stand_ins(params)
        self._rule, self.params, self.structure = rule, params, Structure(shapes, "params")
        leaves = self.structure.leaves(params, "params")
        self._backend = dispatch.of(leaves[0] if leaves else None)
        self._check(leaves, self.structure.leaves(shapes, "params"))
        self._flat = self._buffer()
        self._leaves = list(map(self._backend.stepped_view, leaves))
        self.grads = self.structure.views(self._flat)
        self._views = self.structure.leaves(self.grads, "grads")
        self._parts = self._pieces(self._flat)
        self._whole = self._head = None
        per_coordinate = any(isinstance(value, PerCoordinate) for value in rule.hyper.values())
        if (rule.needs_global_sum or (per_coordinate and not rule.needs_norms)) and len(leaves) > 1:
            self._whole, self._whole_gradient = self._buffer(), self._buffer()
            self._whole_parts, self._gradient_parts = map(self._pieces, (self._whole, self._whole_gradient))
            self._copy(self._leaves, self._whole_parts)
        if self._whole is None or rule.needs_norms:
            _, rest = self._split()
            each = zip(self.structure.real_shapes, self._leaves, strict=True)
            self.states = [rest.shaped(shape).init(leaf) for shape, leaf in each]
        else:
            self.states = [rule.init(self._whole)]
        if self._whole is not None and rule.needs_norms:
            self._head = self._split()[0].init(self._whole)

    def _check(self, leaves, stand_ins):
        """Raise TypeError or ValueError if a parameter cannot be stepped, or not together with the others."""
        for leaf, like, path in zip(leaves, stand_ins, self.structure.paths, strict=True):
            name = f"params{path}"
            if dispatch.of(leaf) is not self._backend:
                raise TypeError(f"{name}: a group's parameters must be all NumPy arrays or all device arrays")
            self._backend.check_parameter(leaf, name)
            if like.real.dtype != self.structure.dtype:
                raise TypeError(f"{name} is {like.dtype}, but its group is {self.structure.dtype}: make two groups")

    def _buffer(self):
        return self._backend.zeros(self.structure.size, self.structure.dtype)

    def _pieces(self, flat):
        """Return the part of a flat buffer that belongs to each array, as the backend steps it."""
        both = zip(self.structure.segments, self.structure.real_shapes, strict=True)
        return [self._backend.stepped_view(flat[lo:hi].reshape(shape)) for (lo, hi), shape in both]

    def _copy(self, sources, targets):
        """Copy arrays into others of the same sizes."""
        for source, target in zip(sources, targets, strict=True):
            self._backend.copy(source, target)

    def _split(self):
        """Return the rule that steps all arrays together, or None, and the one that steps each."""
        is_split = self._whole is not None and self._rule.needs_norms
        return self._rule.split() if is_split else (None, self._rule)

    @property
    def rule(self):
        """The rule, with its hyperparameters."""
        return self._rule

    @rule.setter
    def rule(self, rule):
        self._rule = self.accepted(rule)

    @property
    def saved(self):
        """All states; the one for all arrays together comes last."""
        return self.states + [self._head] * (self._head is not None)

    def accepted(self, rule):
        """Return ``rule``, or raise TypeError if it is another method than this group's, or has other slots."""
        if not isinstance(rule, Rule) or (rule._stages, rule.slots_of) != (self._rule._stages, self._rule.slots_of):
            raise TypeError(f"a running group keeps its method, {self._rule.name}, and its slots; {rule!r} has others")
        return rule

    def step(self, work, f=None):
        """Do the steps of a list from `buffered` or `gather`."""
        if self._whole is None or not work:
            for x, g, state in work:
                self._rule.step(x, g, state, f)
            return
        self._copy(self._leaves, self._whole_parts)
        self._copy([g for _, g, _ in work], self._gradient_parts)  # a copy: the rule may clip it in place
        head, rest = self._split()
        if head is None:
            rest.step(self._whole, self._whole_gradient, self.states[0], f)
        else:
            head.step(self._whole, self._whole_gradient, self._head)
        self._copy(self._whole_parts, self._leaves)
        if head is not None and head.gate(self._head.fetched(), self._head.t) is not None:
            for x, g, state in zip(self._leaves, self._gradient_parts, self.states, strict=True):
                rest.step(x, g, state, f)

    def reported(self):
        """Return the points to report, in the structure of the parameters: copies."""
        head, rest = self._split()
        if head is not None and head.has_reported_point and not rest.has_reported_point:
            self._copy(self._leaves, self._whole_parts)
            points = [_reported(self._whole, self._head)]
        elif len(self.states) == len(self._leaves):
            points = [_reported(leaf, state) for leaf, state in zip(self._leaves, self.states, strict=True)]
        else:
            self._copy(self._leaves, self._whole_parts)
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
        """Return (leaf, gradient, state) for every parameter that has a gradient, after checking all of them."""
        if grads is None:  # the whole group has none
            return []
        work = []
        for i, (g, state) in enumerate(zip(self.structure.leaves(grads, "grads"), self._each(), strict=True)):
            path = self.structure.paths[i]
            if g is None:
                if self._whole is not None:
                    raise ValueError(f"grads{path} is None, and {self._rule.name} takes sums over all: pass zeros")
                continue
            if g is self._views[i]:
                g = self._parts[i]
            else:
                step = state._step if self._whole is None else None
                convert = functools.partial(self.structure.convert, i)
                g = self._backend.gradient(g, self._leaves[i], f"grads{path}", step, convert)
            work.append((self._leaves[i], g, state))
        return work


def _reported(x, state):
    backend = state._backend
    flat, s = backend.to_host(x).reshape(-1), backend.to_host(state.s)
    return state.rule.reported(flat, s, state.fetched(), state.t)


def contents(state):
    """Return copies of a state's slots by name: flat, or matrices for a rule that steps matrices."""
    s = state._backend.to_host(state.s)
    return {name: np.array(state.rule.slot(s, name)) for name in state.rule.slots_of}


def _stand_ins(tree):
    """Return the tree with NumPy arrays that take no memory in the place of device arrays."""
    if isinstance(tree, Mapping):
        return {key: _stand_ins(child) for key, child in tree.items()}
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):  # a namedtuple is not taken apart
        return type(tree)(_stand_ins(child) for child in tree)
    return dispatch.of(tree).stand_in(tree)
