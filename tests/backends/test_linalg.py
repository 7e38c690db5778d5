"""The functions of matrices against NumPy and against what defines them, and the text that calls them."""

import numpy as np
import pytest

from numbaopt import RuleError
from numbaopt.backends import linalg
from numbaopt.rule import columns, matrix, rowmean, rows, rule, transpose

DTYPES = [np.float64, np.float32]
SHAPES = [(1, 1), (1, 5), (5, 1), (3, 5), (5, 3), (4, 4)]
JORDAN = (3.4445, -4.775, 2.0315)


def random(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def positive(n, dtype, seed=0):
    a = random((n, n + 2), np.float64, seed)
    return (a @ a.T).astype(dtype)


def eps(dtype):
    return np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_of_rows_and_columns(shape, dtype):
    a = random(shape, dtype)
    for ours, theirs in [
        (linalg.rowmean(a), a.mean(1, dtype=float, keepdims=True)),
        (linalg.columnmean(a), a.mean(0, dtype=float, keepdims=True)),
        (linalg.added(a), a.sum(dtype=float)),
    ]:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * eps(dtype) * abs(a).max())
    for ours, theirs in [
        (linalg.rowmax(a), a.max(1, keepdims=True)),
        (linalg.columnmax(a), a.max(0, keepdims=True)),
        (linalg.transpose(a), a.T),
    ]:
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == dtype and ours.flags.c_contiguous


def test_the_largest_is_not_a_number_where_one_is_not():
    a = random((3, 4), np.float64)
    a[1, 2] = np.nan
    np.testing.assert_array_equal(np.isnan(linalg.rowmax(a)).ravel(), [False, True, False])
    np.testing.assert_array_equal(np.isnan(linalg.columnmax(a)).ravel(), [False, False, True, False])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal_is_a_polynomial_of_the_singular_values(shape, dtype):
    a = random(shape, dtype)
    before = a.copy()
    u, s, vt = np.linalg.svd(a.astype(float), full_matrices=False)
    s /= np.linalg.norm(s)
    for _ in range(5):
        s = JORDAN[0] * s + JORDAN[1] * s**3 + JORDAN[2] * s**5
    ours = linalg.orthogonal(a, *JORDAN, 5, 1e-7)
    np.testing.assert_allclose(ours, (u * s) @ vt, rtol=0, atol=200 * eps(dtype))  # the least s grows up to 485-fold
    assert ours.dtype == dtype and ours.flags.c_contiguous
    np.testing.assert_array_equal(a, before)


def test_orthogonal_reaches_the_orthogonal_factor_where_its_coefficients_do():
    a = random((4, 6), np.float64)
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    np.testing.assert_allclose(linalg.orthogonal(a, 1.5, -0.5, 0.0, 40, 0.0), u @ vt, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(linalg.orthogonal(np.zeros((3, 2)), *JORDAN, 5, 1e-7), np.zeros((3, 2)))
    norm = np.linalg.norm(a)
    np.testing.assert_allclose(linalg.orthogonal(a, *JORDAN, 0, 2 * norm), a / (2 * norm), rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_inverse_root_undoes_the_matrix(n, p, dtype):
    a = positive(n, dtype)
    root = linalg.inverse_root(a, p, 0.0)
    whole = np.linalg.matrix_power(root.astype(float), p) @ a
    np.testing.assert_allclose(whole, np.eye(n), rtol=0, atol=20 * np.linalg.cond(a.astype(float)) * eps(dtype))
    np.testing.assert_array_equal(root, root.T)
    assert root.dtype == dtype


def test_inverse_root_of_what_has_no_inverse():
    direction = np.array([[3.0], [4.0]]) / 5
    a = 16 * direction @ direction.T
    along, across = direction @ direction.T, np.eye(2) - direction @ direction.T
    np.testing.assert_allclose(linalg.inverse_root(a, 4, 1e-4), along / 2 + 10 * across, rtol=1e-14)
    np.testing.assert_array_equal(linalg.inverse_root(np.zeros((2, 2)), 4, 0.0), np.zeros((2, 2)))
    # An eigenvalue that float32 knows nothing of, and rounds to below zero.
    noisy = (a + np.diag([0.0, -1e-6])).astype(np.float32)
    assert np.linalg.eigvalsh(noisy)[0] < 0
    np.testing.assert_allclose(linalg.inverse_root(noisy, 4, 1e-4), along / 2 + 10 * across, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_eigenvectors_come_in_descending_order(n, dtype):
    a = positive(n, dtype)
    q = linalg.eigenvectors(a)
    room = 20 * eps(dtype) * np.linalg.norm(a)
    np.testing.assert_allclose(q.T @ q, np.eye(n), rtol=0, atol=20 * eps(dtype))
    np.testing.assert_allclose(q.T @ a @ q, np.diag(np.linalg.eigvalsh(a)[::-1]), rtol=0, atol=room)
    assert q.dtype == dtype and q.flags.c_contiguous


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_orthonormal_keeps_what_the_first_columns_span(n, dtype):
    a = random((n, n), dtype)
    q = linalg.orthonormal(a)
    np.testing.assert_allclose(q.T @ q, np.eye(n), rtol=0, atol=20 * eps(dtype))
    np.testing.assert_allclose(np.tril(q.T @ a, -1), 0, rtol=0, atol=20 * eps(dtype) * np.linalg.norm(a))
    assert q.dtype == dtype and q.flags.c_contiguous


def test_orthonormal_is_whole_where_columns_are_missing():
    a = np.zeros((3, 3))
    a[:, 0] = 1, 2, 2
    q = linalg.orthonormal(a)
    np.testing.assert_allclose(q.T @ q, np.eye(3), rtol=0, atol=1e-15)
    np.testing.assert_allclose(abs(q[:, 0]), [1 / 3, 2 / 3, 2 / 3], rtol=1e-15)


def test_descending_sorts_and_leaves_equals_in_place():
    row = np.array([[2.0, 7.0, -1.0, 7.0]])
    p = linalg.descending(row)
    np.testing.assert_array_equal(row @ p, [[7, 7, 2, -1]])
    np.testing.assert_array_equal(np.arange(4) @ p, [1, 3, 0, 2])


# The text.


@rule
def turned(x, g, m, a: "2 * identity(columns)", b: "zeros(rows, 1)", t, lr=0.5, keep=True):  # noqa: F821
    if matrix(x):
        if keep:
            m = transpose(a @ transpose(g))
        b = b + rowmean(g)
        x = x - lr * (g @ a) * rows(x) / columns(x) - b
    else:
        x = x - lr * g
    return x, m, a, b


def test_the_text_is_readable_and_makes_no_transposed_factors():
    text = turned.shaped((2, 3)).source()
    assert "m1 = transpose(a @ g.T)" in text
    assert "a, at = at[:columns * columns].reshape((columns, columns)), at[columns * columns:]" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_text_does_what_the_function_does(dtype):
    x, g, factor = random((2, 3), dtype), random((2, 3), dtype, 1), 2 * np.eye(3, dtype=dtype)
    new_x, m, a, b = turned.math(x, g, np.zeros_like(x), factor, np.zeros((2, 1), dtype), 1, 0.5, True)
    state = turned.init(x)
    turned.step(x, g, state)
    np.testing.assert_allclose(x, new_x, rtol=0, atol=4 * eps(dtype) * abs(new_x).max())
    for name, value in {"m": m, "a": a, "b": b}.items():
        assert state[name].shape == value.shape and state[name].dtype == dtype
        np.testing.assert_allclose(state[name], value, rtol=0, atol=8 * eps(dtype) * abs(value).max())


@pytest.mark.slow
def test_what_a_matrix_is_not_given():
    # A slot that only another setting needs takes no room.
    assert turned(keep=False).shaped((2, 3)).slots_of == ("a", "b")
    s, h, step = turned.slots(np.ones(6)), turned.h, turned.shaped((2, 3))
    with pytest.raises(ValueError, match="s and h must come from it"):
        step.jit(1, np.ones(6), np.ones(6), step.slots(np.ones(6)), h)
    with pytest.raises(ValueError, match="another shape"):
        step.jit(1, np.ones(8), np.ones(8), np.ones((4, 8)), step.h)
    with pytest.raises(ValueError, match="another shape"):
        step.jit(1, np.ones(6), np.ones(6), np.ones((2, 6)), step.h)
    with pytest.raises(ValueError, match="t must be at least 1"):
        step.jit(0, np.ones(6), np.ones(6), step.slots(np.ones(6)), step.h)
    assert s.shape == (0, 6)
    with pytest.raises(RuleError, match="outside `if matrix"):

        @rule
        def wrong(x, g, t, lr=0.1):
            return x - lr * transpose(g)
