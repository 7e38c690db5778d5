"""What rules that see x as a matrix call: compiled, for compiled steps and NumPy arrays alike."""

import numpy as np

from numbaopt.cpu import jit


@jit
def added(a):
    """Return the sum of all entries, in float64."""
    z = 0.0
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            z += a[row, column]
    return z


@jit
def transpose(a):
    """Return the transposed matrix, C-contiguous."""
    return np.ascontiguousarray(a.T)


@jit
def rowmean(a):
    """Return the mean of each row, shape (rows, 1)."""
    out = np.empty((a.shape[0], 1), a.dtype)
    for row in range(a.shape[0]):
        z = 0.0
        for column in range(a.shape[1]):
            z += a[row, column]
        out[row, 0] = z / a.shape[1]
    return out


@jit
def columnmean(a):
    """Return the mean of each column, shape (1, columns)."""
    z = np.zeros(a.shape[1])
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            z[column] += a[row, column]
    out = np.empty((1, a.shape[1]), a.dtype)
    for column in range(a.shape[1]):
        out[0, column] = z[column] / a.shape[0]
    return out


@jit
def orthogonal(a, eps, steps):
    """Return nearly the orthogonal factor U V' of a = U S V', by Newton and Schulz's iteration of fifth order.

    The coefficients are Jordan's (2024, "Muon"): they raise small singular values fast and leave all of them between
    0.7 and 1.2. The norm is not taken below eps.
    """
    T = a.dtype.type
    tall = a.shape[0] > a.shape[1]
    y = np.ascontiguousarray(a.T) if tall else a.copy()
    y /= T(max(np.sqrt(added(y * y)), eps))
    for _ in range(int(steps)):
        b = y @ np.ascontiguousarray(y.T)
        c = T(-4.7750) * b + T(2.0315) * (b @ b)
        y = T(3.4445) * y + c @ y
    return np.ascontiguousarray(y.T) if tall else y


@jit
def inverse_root(a, p, eps):
    """Return ``a ** (-1 / p)`` of a symmetric positive matrix, its eigenvalues not taken below eps."""
    T = a.dtype.type
    values, vectors = np.linalg.eigh(a)
    scaled = vectors * np.maximum(values, T(eps)) ** T(-1.0 / p)
    return np.ascontiguousarray(scaled) @ np.ascontiguousarray(vectors.T)


@jit
def eigenvectors(a):
    """Return the eigenvectors of a symmetric matrix as columns, the largest eigenvalue's first."""
    return np.ascontiguousarray(np.linalg.eigh(a)[1][:, ::-1])


@jit
def refined(a, q):
    """Return a basis q of eigenvectors of a after one step of orthogonal iteration."""
    return np.ascontiguousarray(np.linalg.qr(a @ q)[0])
