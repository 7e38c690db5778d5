"""The arithmetic of lanes: functions of numbers, applied to lanes with the bits of the scalar functions.

The type of a result follows from the type that Numba finds for the numbers in the lanes. The code that Numba emits for
one number is emitted for a vector if all of its instructions accept vectors, and otherwise lane by lane.
"""

import itertools
import math
import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import errors
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.cpython import numbers
from numba.extending import intrinsic, lower_builtin, overload
from numba.np import npyfuncs

from numbaopt.backends.simd.kinds import ELEMENTS, Chosen, Lanes, any_lane, broadcast, element, select, widths


class Elementwise(AbstractTemplate):
    """Types a function of lanes, some of which may be numbers, as Numba types it for numbers."""

    def generic(self, args, kws):
        """Return the signature with lanes for every argument and result that holds them."""
        key, width = type(self).key, widths(*args)
        if kws or width is None or (key not in SAME and any(isinstance(arg, Chosen) for arg in args)):
            return None
        ones = tuple(element(arg, width) for arg in args)
        found = None if None in ones else self.context.resolve_function_type(key, ones, {})
        if found is None or found.return_type not in ELEMENTS:
            return None
        taken = [Lanes(k, width) if isinstance(arg, Lanes) else k for arg, k in zip(args, found.args, strict=True)]
        return Lanes(found.return_type, width)(*taken)


def lane_by_lane(function):
    """Emit what Numba emits for one number, for each lane."""

    def emit(context, builder, signature, args):
        width = signature.return_type.width
        callee = context.typing_context.resolve_value_type(function)
        kinds = tuple(element(kind, width) for kind in signature.args)
        scalar = callee.get_call_type(context.typing_context, kinds, {})
        implementation = context.get_function(callee, scalar)
        context.add_linking_libs(getattr(implementation, "libs", ()))
        result = ir.Constant(context.get_value_type(signature.return_type), ir.Undefined)
        for k in map(ir.IntType(32), range(width)):
            ones = [
                builder.extract_element(arg, k) if isinstance(kind, Lanes) else arg
                for kind, arg in zip(signature.args, args, strict=True)
            ]
            result = builder.insert_element(result, implementation(builder, ones), k)
        return result

    return emit


def vector(function):
    """Emit for whole vectors what `function` emits for one number."""

    def emit(context, builder, signature, args):
        result = signature.return_type
        # NumPy's functions convert their arguments to the type of the result, unless that is a truth value.
        kinds = [
            result.of(element(kind, result.width)) if result.dtype == types.boolean else result
            for kind in signature.args
        ]
        args = [context.cast(builder, *pair) for pair in zip(args, signature.args, kinds, strict=True)]
        scalar = result.dtype(*(kind.dtype for kind in kinds))
        return function(context, builder, scalar, args)

    return emit


def _intrinsic(name):
    def emit(context, builder, scalar, args):
        kind = args[0].type
        suffix = f"v{kind.count}{kind.element.intrinsic_name}"
        function = builder.module.declare_intrinsic(f"llvm.{name}.{suffix}", (), ir.FunctionType(kind, [kind]))
        return builder.call(function, args)

    return vector(emit)


def _divide(context, builder, scalar, args):
    if context.error_model.raise_on_fp_zero_division:
        zero = builder.fcmp_ordered("==", args[1], args[1].type(0))
        with builder.if_then(any_lane(builder, zero), likely=False):
            context.error_model.fp_zero_division(builder, ("division by zero",))
    return builder.fdiv(*args)


def _sign(context, builder, scalar, args):
    (x,) = args
    below = builder.select(builder.fcmp_ordered("<", x, x.type(0)), x.type(-1), x)
    return builder.select(builder.fcmp_ordered(">", x, x.type(0)), x.type(1), below)


def _whole_power(a, b):
    exponent = -b if b < 0 else b
    if exponent < 0:
        raise OverflowError
    if exponent > 0x10000:
        return math.pow(a, float(b))
    power = broadcast(1, a)
    while exponent != 0:
        if exponent & 1:
            power *= a
        exponent >>= 1
        a *= a
    return 1.0 / power if b < 0 else power


def _power(function):
    """Emit powers: for a common whole exponent the multiplications of Numba's `int_power_impl`, in their order."""
    single = lane_by_lane(function)

    def emit(context, builder, signature, args):
        base, exponent = signature.args
        if isinstance(base, Lanes) and isinstance(exponent, types.Integer) and exponent.signed:
            return context.compile_internal(builder, _whole_power, signature, args)
        return single(context, builder, signature, args)

    return emit


# The operators that are the same for 0-d arrays as for numbers; division and power are not.
SAME = {
    operator.add: vector(numbers.real_add_impl),
    operator.sub: vector(numbers.real_sub_impl),
    operator.mul: vector(numbers.real_mul_impl),
    operator.lt: vector(numbers.real_lt_impl),
    operator.le: vector(numbers.real_le_impl),
    operator.gt: vector(numbers.real_gt_impl),
    operator.ge: vector(numbers.real_ge_impl),
}
SAME |= {operator.iadd: SAME[operator.add], operator.isub: SAME[operator.sub], operator.imul: SAME[operator.mul]}
ON_NUMBERS = SAME | {
    operator.eq: vector(numbers.real_eq_impl),
    operator.ne: vector(numbers.real_ne_impl),
    operator.neg: vector(numbers.real_negate_impl),
    operator.truediv: vector(_divide),
    operator.itruediv: vector(_divide),
    operator.pow: _power(operator.pow),
    operator.ipow: _power(operator.ipow),
    pow: _power(pow),
    math.pow: _power(math.pow),
    np.negative: vector(numbers.real_negate_impl),
    np.square: vector(npyfuncs.np_real_square_impl),
    np.minimum: vector(npyfuncs.np_real_minimum_impl),
    np.maximum: vector(npyfuncs.np_real_maximum_impl),
    np.fmin: vector(npyfuncs.np_real_fmin_impl),
    np.fmax: vector(npyfuncs.np_real_fmax_impl),
    np.sign: vector(_sign),
    **dict.fromkeys([abs, math.fabs, np.fabs, np.absolute], _intrinsic("fabs")),
    **dict.fromkeys([math.sqrt, np.sqrt], _intrinsic("sqrt")),  # rounded correctly wherever it is computed
    np.floor: _intrinsic("floor"),
    np.ceil: _intrinsic("ceil"),
    np.trunc: _intrinsic("trunc"),
    **dict.fromkeys([math.isnan, np.isnan], vector(npyfuncs.np_real_isnan_impl)),
    **dict.fromkeys([math.isinf, np.isinf], vector(npyfuncs.np_real_isinf_impl)),
    **dict.fromkeys([math.isfinite, np.isfinite], vector(npyfuncs.np_real_isfinite_impl)),
}
ON_MASKS = {
    operator.and_: vector(numbers.int_and_impl),
    operator.or_: vector(numbers.int_or_impl),
    operator.xor: vector(numbers.int_xor_impl),
    operator.invert: vector(lambda context, builder, scalar, args: builder.not_(*args)),
}
ON_MASKS |= dict(zip((operator.iand, operator.ior, operator.ixor), list(ON_MASKS.values())[:3], strict=True))
IN_MATH = """acos acosh asin asinh atan atan2 atanh copysign cos cosh degrees erf erfc exp exp2 expm1 gamma hypot lgamma
log log10 log1p log2 radians sin sinh tan tanh"""
IN_NUMPY = """arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt copysign cos cosh degrees divide equal exp exp2
expm1 greater greater_equal hypot less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not
logical_or not_equal power radians reciprocal rint sin sinh subtract add multiply tan tanh"""
SINGLE = [float, operator.floordiv, operator.ifloordiv, operator.mod, operator.imod, operator.pos]
SINGLE += [getattr(math, name) for name in IN_MATH.split()] + [getattr(np, name) for name in IN_NUMPY.split()]


def _register():
    pairs = [pair for pair in itertools.product((Lanes, types.Number, types.Boolean), repeat=2) if Lanes in pair]
    for function in {*ON_NUMBERS, *ON_MASKS, *SINGLE}:
        single = lane_by_lane(function)
        emit = _by_element(ON_NUMBERS.get(function, single), ON_MASKS.get(function, single))
        # Used as a decorator, `infer_global` needs the module of the function, which ufuncs have from NumPy 2.2 on.
        infer_global(function, types.Function(type("Elementwise", (Elementwise,), {"key": function})))
        for kinds in [(Lanes,), *pairs]:
            lower_builtin(function, *kinds)(emit)


def _by_element(on_numbers, on_masks):
    """Choose the code for numbers or for masks, by the type of the first argument."""

    def emit(context, builder, signature, args):
        width = widths(signature.return_type)
        if width is None:  # from the operator ``is``
            raise errors.UnsupportedError(f"Not available for lanes: {signature}.")
        chosen = on_masks if element(signature.args[0], width) == types.boolean else on_numbers
        return chosen(context, builder, signature, args)

    return emit


_register()


@overload(min)
def _min(a, b):
    if widths(a, b):
        return lambda a, b: select(b < a, b, a)


@overload(max)
def _max(a, b):
    if widths(a, b):
        return lambda a, b: select(b > a, b, a)


@overload(min)
def _min_of_three(a, b, c):
    if widths(a, b, c):
        return lambda a, b, c: min(min(a, b), c)


@overload(max)
def _max_of_three(a, b, c):
    if widths(a, b, c):
        return lambda a, b, c: max(max(a, b), c)


@intrinsic
def _chosen(typing, value):
    def generate(context, builder, signature, args):
        return args[0]

    return Chosen(value.dtype, value.width)(value), generate


@overload(np.where)
def _where(condition, x, y):
    if widths(condition, x, y) and {types.float32, types.float64} & {getattr(k, "dtype", k) for k in (x, y)}:
        return lambda condition, x, y: _chosen(select(condition, x, y))
