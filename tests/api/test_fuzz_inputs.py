"""Whatever is given: the bits of the plain native array, or an error that names the argument before anything is done."""

import array
import datetime
import fractions
import tempfile
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import Bounds

import numbaopt
from numbaopt import Optimizer, minimize, minimize_many
from numbaopt.common.validation import is_real
from numbaopt.drivers.options import DEFAULTS
from numbaopt.methods import registry
from tests.fuzzing import tries

try:
    import pandas
except ImportError:  # no part of the tests' requirements
    pandas = None

FLOATS = st.sampled_from([np.float64, np.float32])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def hostile():
    """Return a strategy of values of any kind."""
    dtypes = "?bBhHiIlLqQefdgFD"
    huge = st.sampled_from([10**400, -(10**400), 2**63, 2**64, -(2**63) - 1, fractions.Fraction(10**400)])
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.integers(),
        huge,
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.decimals(allow_nan=None),
        st.fractions(),
        st.complex_numbers(),
        st.sampled_from(dtypes).map(lambda code: np.ones((), code)[()]),
        st.sampled_from([np.nan, np.inf, -np.inf, 5e-324, -0.0, 1e308, 1e39, 1e-50]),
        st.sampled_from([np.float64(np.nan), np.float32(0.5), np.longdouble("1e4000"), np.datetime64("2020-01-01")]),
        st.sampled_from([np.timedelta64(1, "s"), np.str_("a"), np.void(b"ab"), datetime.date(2020, 1, 1)]),
        st.sampled_from([..., NotImplemented, int, len, object(), range(3), {1, 2}, frozenset(), slice(3), b"1"]),
        st.builds(lambda: iter([1.0, 2.0])),
        st.builds(lambda: (value for value in (1.0, 2.0))),
    )
    some = arrays.arrays(
        st.one_of(arrays.scalar_dtypes(), st.sampled_from([np.dtype(object), np.dtype([("a", float), ("b", "i2")])])),
        arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
    )
    leaves = st.one_of(scalars, scalars, some)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(st.sampled_from(["w", "b", 0]), inner, max_size=2),
        ),
        max_leaves=5,
    )


HOSTILE = hostile()


def bowl(x):
    """Of an array, or of a tree of them."""
    if isinstance(x, dict):
        pairs = {key: bowl(value) for key, value in x.items()}
        return sum(f for f, _ in pairs.values()), {key: g for key, (_, g) in pairs.items()}
    if isinstance(x, (list, tuple)):
        pairs = [bowl(value) for value in x]
        return sum(f for f, _ in pairs), [g for _, g in pairs]
    with np.errstate(all="ignore"):
        return float((x * np.conj(x)).real.sum()), 2 * x


def run(x0, fun=bowl, **more):
    """Return what a short run gives, or the TypeError or ValueError that it raises; nothing else may come."""
    try:
        return minimize(fun, x0, **{"jac": True, "options": {"maxiter": 3, "lr": 0.1}} | more)
    except (TypeError, ValueError) as error:
        return error


def flat(tree):
    """Return dtype, shape and bytes of every array of a tree."""
    if isinstance(tree, dict):
        return {key: flat(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [flat(value) for value in tree]
    return tree.dtype.str, tree.shape, tree.tobytes()


def same(one, other):
    """Assert that two runs are one to the bit, or raise the same."""
    if isinstance(other, Exception):
        assert type(one) is type(other) and str(one) == str(other)
        return
    assert not isinstance(one, Exception), one
    assert flat(one.x) == flat(other.x) and flat(one.jac) == flat(other.jac)
    np.testing.assert_equal([one.fun, one.nit, one.nfev, one.status], [other.fun, other.nit, other.nfev, other.status])


def refuses(error, *names):
    """Assert that an error is one that says what it is about."""
    assert isinstance(error, (TypeError, ValueError)), error
    assert any(name in str(error) for name in names), f"{error!r} names none of {names}"


# x0: the same numbers in other clothes.


class Kind(np.ndarray):
    """A subclass, as of arrays with units."""


class Holder:
    """Knows NumPy's protocol, and no more."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


def strided(a):
    wide = np.zeros([2 * n for n in a.shape], a.dtype)
    return filled(wide[(..., *(slice(None, None, 2) for _ in a.shape))], a)


def filled(into, a):
    into[...] = a
    return into


def unaligned(a):
    return filled(np.ndarray(a.shape, a.dtype, bytearray(a.nbytes + 1), 1), a)


def backwards(a):
    every = (..., *(slice(None, None, -1) for _ in a.shape))
    return a[every].copy()[every]


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def mapped(a):
    if not a.size:
        return a
    with tempfile.TemporaryFile() as file:
        return filled(np.memmap(file, a.dtype, "w+", shape=a.shape), a)


def as_matrix(a):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.asmatrix(a) if a.ndim <= 2 else a


KEEP = {  # the dtype stays
    "itself": lambda a: a,
    "strided": strided,
    "backwards": backwards,
    "fortran": np.asfortranarray,
    "transposed": lambda a: a.T.copy().T,
    "unaligned": unaligned,
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "read-only": read_only,
    "broadcast": lambda a: np.broadcast_to(a.ravel()[:1].reshape(()) if a.size else a, a.shape),
    "overlapping": lambda a: np.lib.stride_tricks.as_strided(a, a.shape, [0] * a.ndim) if a.size else a,
    "subclass": lambda a: a.view(Kind),
    "memmap": mapped,
    "masked": np.ma.masked_array,
    "matrix": as_matrix,
    "protocol": Holder,
    "memoryview": lambda a: memoryview(a.copy()) if a.size else a,
    "series": lambda a: pandas.Series(a) if pandas and a.ndim == 1 else a,
    "frame": lambda a: pandas.DataFrame(a) if pandas and a.ndim == 2 and a.shape[1] else a,  # columns have the dtype
}
LOSE = {  # the dtype does not
    "list": lambda a: a.tolist(),
    "array.array": lambda a: array.array("d", a.ravel().tolist()),
    "bools": lambda a: a > 0,
    **{code: lambda a, code=code: np.nan_to_num(a).clip(0, 100).astype(code) for code in "bBhHiIqQ"},
}
BAD = {code: lambda a, code=code: np.array(np.nan_to_num(a).clip(0, 100), code) for code in "egOUS"}
BAD |= {code: lambda a, code=code: np.zeros(a.shape, code) for code in ("M8[s]", "m8[s]", "f8,i4")}

values = FLOATS.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES))


def plain(dressed):
    """Return the native contiguous float array with the same numbers."""
    a = np.array(dressed)
    return np.array(a, a.dtype.newbyteorder("=") if a.dtype.kind == "f" else float, order="C", ndmin=0)


@tries(120)
@given(values, st.sampled_from([*KEEP, *LOSE]))
def test_x0_in_other_clothes(a, clothes):
    dressed = (KEEP | LOSE)[clothes](a)
    before = np.array(dressed).tobytes()
    result = run(dressed)
    same(result, run(plain(dressed)))
    assert np.array(dressed).tobytes() == before
    if isinstance(result, Exception):
        refuses(result, "x0")


@tries(40)
@given(values, st.sampled_from(list(BAD)))
def test_x0_of_other_dtypes(a, code):
    x0 = BAD[code](a)
    before = x0.tobytes()
    refuses(run(x0), "x0")
    assert x0.tobytes() == before


@st.composite
def leaves(draw):
    """Draw a leaf, plain and dressed. In a list NumPy's scalars are numbers, and other things of no dimension are not."""
    a = draw(values)
    dressed = KEEP[draw(st.sampled_from(list(KEEP)))](a) if a.ndim else a
    return np.array(dressed, a.dtype), dressed


def joined(make):
    """Make of pairs of leaves a pair of trees."""
    return lambda pairs: tuple(make([pair[side] for pair in pairs]) for side in (0, 1))


def keyed(pairs):
    return tuple({key: pair[side] for key, pair in pairs.items()} for side in (0, 1))


trees = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(joined(list)),
        st.lists(inner, max_size=3).map(joined(tuple)),
        st.dictionaries(st.sampled_from(["w", "b", 0, ("a", 1)]), inner, max_size=3).map(keyed),
    ),
    max_leaves=5,
)


@tries(80)
@given(trees)
def test_structured_x0_in_other_clothes(pair):
    bare, dressed = pair
    result = run(dressed)
    same(result, run(bare))
    if isinstance(result, Exception):
        refuses(result, "x0")


@tries(120)
@given(HOSTILE)
def test_x0_of_any_kind(x0):
    result = run(x0)
    if isinstance(result, Exception):
        refuses(result, "x0")


# Hyperparameters and options.

RULES = {name: registry.get(name) for name in registry.names()}
NAMES = [(rule, name) for rule in RULES for name in RULES[rule].hyper]


@tries(250)
@given(st.sampled_from(NAMES), HOSTILE)
def test_hyperparameters(which, value):
    rule, name = RULES[which[0]], which[1]
    try:
        bound = rule(**{name: value})
    except (TypeError, ValueError) as error:
        refuses(error, name)
        return
    own = bound.hyper[name]
    if isinstance(value, np.ndarray) and value.ndim:
        return np.testing.assert_array_equal(own.values, value)
    assert own == value or own == float(value)
    assert type(own) is type(rule.hyper[name]) or type(own) is float


@pytest.mark.parametrize("which", NAMES, ids="-".join)
def test_a_hyperparameter_for_each_coordinate(which):
    """Where that has a meaning; what a hyperparameter is has nothing to do with how the rule is written."""
    rule, name = RULES[which[0]], which[1]
    default = rule.hyper[name]
    values = np.full(3, float(default) if is_real(default) else 0.5)
    try:
        bound = rule(**{name: values})
    except TypeError as error:
        wanted = "must be True or False" if isinstance(default, bool) else "must be one number for all coordinates"
        assert f"{name} {wanted}" in str(error)
        return
    np.testing.assert_array_equal(bound.hyper[name].values, values)
    try:
        shaped = bound.shaped((1, 3))
    except TypeError as error:
        assert f"{name} must be one number for a matrix, here of shape (1, 3), not an array" in str(error)
    else:
        assert shaped is bound or name not in shaped.slots_of


@tries(120)
@given(st.floats(0, exclude_min=False), FLOATS)
def test_a_learning_rate_of_any_size(lr, dtype):
    """However large or small: the bits of NumPy's own step."""
    x0 = np.array([1.0, -2.0], dtype)
    result = run(x0, method="sgd", options={"maxiter": 1, "lr": lr, "return": "last"})
    if isinstance(result, Exception):
        refuses(result, "lr")
        assert lr == np.inf
        return
    with np.errstate(all="ignore"):
        wanted = x0 - dtype(lr) * (2 * x0)
        f = (wanted * wanted).sum()
    if np.isfinite(f):
        np.testing.assert_array_equal(result.x, wanted)
    else:
        assert not result.success


@tries(250)
@given(st.sampled_from(["lr", "b1", *sorted(DEFAULTS.keys() - {"disp"})]), HOSTILE)
def test_options(name, value):
    if name == "maxtime" and isinstance(value, float) and 0 < value < 1e9:
        return  # how far it comes is by chance
    x0, form = np.array([1.0, -2.0]), {"options": {"maxiter": 3, "lr": 0.1, name: value}}
    if name.startswith("spsa"):
        form |= {"jac": "spsa", "fun": lambda x: bowl(x)[0]}
    result = run(x0, **form)
    if isinstance(result, Exception):
        refuses(result, name)
    np.testing.assert_array_equal(x0, [1, -2])


@tries(60)
@given(HOSTILE)
def test_whatever_options_are(options):
    result = run(np.ones(2), options=options)
    if isinstance(result, Exception):
        refuses(result, "option")


@pytest.mark.parametrize("name", ["tol", "method", "jac", "callback", "constraints", "bounds"])
@tries(60)
@given(value=HOSTILE)
def test_arguments(name, value):
    x0 = np.array([1.0, -2.0])
    calls = []

    def fun(x):
        calls.append(x)
        return bowl(x)

    if name in ("callback", "method") and callable(value):
        return  # what it raises is its own
    result = run(x0, fun, **{name: value})
    if isinstance(result, Exception):
        refuses(result, name, *(["constraint", "SLSQP"] if name == "constraints" else []))
        assert not calls or name == "jac"
    np.testing.assert_array_equal(x0, [1, -2])


# Bounds.

sides = st.one_of(st.none(), st.floats(), st.integers(-5, 5), st.sampled_from([np.float32(0.1), np.int8(3), -np.inf]))


@tries(120)
@given(
    st.lists(st.tuples(sides, sides), min_size=1, max_size=3),
    FLOATS,
    st.sampled_from(["pairs", "array", "Bounds", "lists"]),
)
def test_bounds(pairs, dtype, form):
    """Of every form the same run, between them all the time; or an error that speaks of them."""
    x0, seen = np.linspace(-2, 2, len(pairs)).astype(dtype), []

    def fun(x):
        seen.append(x.astype(float))
        return bowl(x)

    opened = [[-np.inf if lo is None else float(lo), np.inf if hi is None else float(hi)] for lo, hi in pairs]
    given = {"pairs": pairs, "lists": [list(pair) for pair in pairs], "array": np.array(opened)}
    given["Bounds"] = Bounds(*np.array(opened).T) if not np.isnan(opened).any() else given["array"]
    result = run(x0, fun, bounds=given[form])
    if isinstance(result, Exception):
        refuses(result, "bound")
        assert not seen
        lower, upper = np.array(opened).T
        assert not (lower < upper).all() or len(pairs) == 1 or dtype is np.float32
        return
    for x in seen:
        assert all(lo <= entry <= hi for entry, (lo, hi) in zip(x, opened, strict=True))
    same(result, run(x0, bounds=np.array(opened)))


# What a function returns.


def shaped_as(a, clothes):
    return KEEP[clothes](a)


@tries(120)
@given(FLOATS, st.sampled_from([(3,), (2, 2)]), st.sampled_from([*KEEP, *(set(LOSE) - {"bools"})]), st.booleans())
def test_gradients_in_other_clothes(dtype, shape, clothes, together):
    x0 = np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(dtype)
    if clothes == "array.array" and len(shape) > 1:
        return

    def gradient(x, dress):
        return (KEEP | LOSE)[dress](np.round(4 * x))

    def in_(dress):
        if together:
            return run(x0, lambda x: (np.abs(x).sum(), gradient(x, dress)))
        return run(x0, lambda x: np.abs(x).sum(), jac=lambda x: gradient(x, dress))

    def converted(x):
        g = gradient(x, clothes)
        return np.abs(x).sum(), np.array(np.asarray(g), dtype)

    same(in_(clothes), run(x0, converted))


@tries(200)
@given(HOSTILE, st.sampled_from([True, "apart", "inplace", "2-point", "3-point", "cs", "spsa"]))
def test_values_of_any_kind(value, form):
    x0 = np.array([1.0, -2.0])

    def fun(x, *grad):
        if grad:
            grad[0][:] = 2 * x
        return (value, 2 * x) if form is True else value

    result = run(x0, fun, jac=(lambda x: 2 * x) if form == "apart" else form)
    if isinstance(result, Exception):
        refuses(result, "fun must return")
    else:
        assert result.status == 3 or np.isfinite(float(result.fun))
    np.testing.assert_array_equal(x0, [1, -2])


@tries(200)
@given(HOSTILE, st.booleans())
def test_gradients_of_any_kind(value, together):
    x0 = np.array([1.0, -2.0])
    if together:
        result = run(x0, lambda x: (1.0, value))
    else:
        result = run(x0, lambda x: 1.0, jac=lambda x: value)
    if isinstance(result, Exception):
        refuses(result, "gradient")
    np.testing.assert_array_equal(x0, [1, -2])


@tries(60)
@given(HOSTILE)
def test_what_is_returned_for_a_pair(value):
    result = run(np.ones(2), lambda x: value)
    if isinstance(result, Exception):
        refuses(result, "fun must return", "gradient")


@tries(60)
@given(
    st.sampled_from(["buffer", "view of x", "x itself", "x overwritten", "x kept", "read-only"]), FLOATS, st.booleans()
)
def test_gradients_that_share_memory(how, dtype, together):
    """The same buffer each time, x itself, x overwritten: what a function does with its own arrays changes nothing."""
    x0, buffer, kept = np.array([3.0, -2.0, 0.5], dtype), np.empty(3, dtype), []

    def gradient(x):
        if how == "buffer":
            buffer[:] = x
            return buffer
        if how == "view of x":
            return x[::-1][::-1]
        if how == "x overwritten":
            g = x.copy()
            x[:] = 77
            return g
        if how == "x kept":
            kept.append(x)
        return read_only(x) if how == "read-only" else x

    def half(x):
        return float((x * x).sum()) / 2

    if together:
        result = run(x0, lambda x: (half(x), gradient(x)))
    else:
        result = run(x0, half, jac=gradient)
    same(result, run(x0, lambda x: (half(x), x.copy())))
    assert len({entry.tobytes() for entry in kept}) == len(kept)


# Callbacks, args and data.


@tries(60)
@given(HOSTILE, st.booleans())
def test_what_a_callback_returns(value, whole):
    def with_x(xk):
        xk[:] = np.nan  # a copy
        return value

    def with_result(intermediate_result):
        intermediate_result.x[:] = np.nan
        return value

    same(run(np.ones(2), callback=with_result if whole else with_x), run(np.ones(2)))


@tries(60)
@given(HOSTILE)
def test_args(args):
    seen = []
    result = run(np.ones(2), lambda x, *more: seen.append(more) or bowl(x), args=args)
    same(result, run(np.ones(2)))
    expected = args if isinstance(args, tuple) else (args,)
    assert all(len(more) == len(expected) and all(map(lambda a, b: a is b, more, expected)) for more in seen)


def mean_square(x, A, *more):
    A = np.array(A, float, order="C")
    r = A @ x
    return float(r @ r) / len(A), 2 * (A.T @ r) / len(A)


ROWS = np.random.default_rng(0).normal(size=(7, 2))


@tries(100)
@given(
    st.sampled_from([*KEEP, "list", *"bBhHiIqQ"]),
    st.integers(1, 7),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    FLOATS,
)
def test_data_in_other_clothes(clothes, batch_size, epochs, shuffle, drop_last, dtype):
    """In Python a batch of anything is that of the plain array."""
    if clothes in ("protocol", "memoryview"):
        return
    dressed = (KEEP | LOSE)[clothes](ROWS.astype(dtype))
    more = {"batch_size": batch_size, "epochs": epochs, "shuffle": shuffle, "drop_last": drop_last, "seed": 3}
    more["options"] = {"lr": 0.1}
    result = run(np.ones(2), mean_square, data=(dressed,), **more)
    same(result, run(np.ones(2), mean_square, data=(np.array(np.asarray(dressed)),), **more))


@pytest.mark.parametrize("name", ["data", "batch_size", "epochs", "seed", "shuffle", "drop_last"])
@tries(60)
@given(value=HOSTILE)
def test_minibatches(name, value):
    if name == "epochs" and isinstance(value, (int, np.integer)) and value > 9:
        return  # they would be done
    x0 = np.array([1.0, -2.0])

    def fun(x, *batch):
        return bowl(x)

    result = run(x0, fun, **{"data": ROWS, "options": {"lr": 0.1}, name: value})
    if isinstance(result, Exception):
        refuses(result, name, "data")
    np.testing.assert_array_equal(x0, [1, -2])


# The embedded step: nothing is converted, so what does not fit is refused, and nothing has changed.


@tries(200)
@given(FLOATS, FLOATS, st.sampled_from([(3,), (2, 2), ()]), st.sampled_from([*KEEP, *LOSE, *BAD]), st.booleans())
def test_steps(dtype, other, shape, clothes, of_x):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(other)
    dress = (KEEP | LOSE | BAD)[clothes]
    wanted = np.array(x, ndmin=0)
    state = numbaopt.adam.init(wanted)
    x = dress(x) if of_x else np.array(x)
    g = g if of_x else dress(g)
    before = np.array(x).tobytes()
    try:
        own = numbaopt.adam.init(x)
        numbaopt.adam.step(x, g, own)
    except (TypeError, ValueError) as error:
        refuses(error, "x ", "g ", "gradient", "x,", "g,")
        assert np.array(x).tobytes() == before
        return
    numbaopt.adam.step(wanted, np.array(np.asarray(g), np.asarray(g).dtype.newbyteorder("=")), state)
    np.testing.assert_array_equal(np.asarray(x), wanted)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # of more than float64 holds
@tries(120)
@given(HOSTILE, st.sampled_from(["init", "x", "g", "state", "params", "grads"]))
def test_steps_of_any_kind(value, place):
    x, g = np.ones(2), np.ones(2)
    state = numbaopt.adam.init(x)
    try:
        if place == "init":
            numbaopt.adam.init(value)
        elif place == "params":
            Optimizer(numbaopt.adam, value)
        elif place == "grads":
            Optimizer(numbaopt.adam, x).step(value)
        else:
            given = {"x": x, "g": g, "state": state} | {place: value}
            numbaopt.adam.step(given["x"], given["g"], given["state"])
    except (TypeError, ValueError) as error:
        assert str(error)
        np.testing.assert_array_equal(x, [1, 1])
        assert state.t == 0
        np.testing.assert_array_equal(state.s, np.zeros((2, 2)))


def test_steps_of_foreign_bytes_after_unaligned_ones():
    """Numba knows arrays by a fingerprint that says nothing of alignment or byte order."""
    rule, g = numbaopt.sgd(lr=0.5), np.array([1.0, -2.0])
    swapped = g.astype(g.dtype.newbyteorder())
    for gradient in (g, unaligned(g), swapped):
        x = np.zeros(2)
        rule.step(x, gradient, rule.init(x))
        np.testing.assert_array_equal(x, [-0.5, 1.0])
    x = np.zeros(2)
    state = rule.init(x)
    with pytest.raises(TypeError, match="native byte order"):
        rule.step(swapped, g, state)
    np.testing.assert_array_equal(swapped, g)


# Many problems.


@tries(60)
@given(st.sampled_from([*KEEP, *LOSE]), FLOATS, st.booleans())
def test_many_in_other_clothes(clothes, dtype, of_data):
    X0 = np.arange(6.0).reshape(3, 2).astype(dtype)
    if clothes == "array.array":
        return
    dressed = (KEEP | LOSE)[clothes](X0)
    bare = plain(dressed)

    def fun(x, c):
        return float(((x - c) ** 2).sum()), 2 * (x - np.asarray(c, dtype))

    options = {"maxiter": 3, "lr": 0.1}
    given = [(X0, dressed), (X0, np.array(np.asarray(dressed)))] if of_data else [(dressed, X0), (bare, X0)]
    one, other = (minimize_many(fun, X, data=c, jac=True, options=options) for X, c in given)
    assert flat(one.x) == flat(other.x) and flat(one.fun) == flat(other.fun) and flat(one.nit) == flat(other.nit)


@pytest.mark.parametrize("name", ["X0", "data", "bounds", "threads"])
@tries(60)
@given(value=HOSTILE)
def test_many_of_any_kind(name, value):
    given = {"X0": np.ones((2, 2)), "options": {"maxiter": 2}, "jac": True, name: value}
    try:
        minimize_many(lambda x, *args: bowl(x), **given)
    except (TypeError, ValueError) as error:
        refuses(error, name, "problem", "bound")
