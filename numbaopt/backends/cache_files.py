"""The files of cached code, safe with several processes and against damage.

Numba numbers the code files of a function's signatures in one index. If two processes write at once, only the index of
the later one is left, and it may point to code of the other one. Machine code that a broken disk or an incomplete copy
has damaged is run as it is. Here each signature has an index and a code file of its own, with a checksum.
"""

import hashlib
from pickle import UnpicklingError, loads

from numba.core.caching import IndexDataCacheFile

DIGEST = hashlib.sha256().digest_size


class _One(IndexDataCacheFile):
    """The two files of one signature."""

    def _save_data(self, name, data):
        data = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(data).digest() + data)

    def _load_data(self, name):
        return loads(checked(self._data_path(name)))


class Files:
    """The object through which `numba.core.caching.Cache` reads and writes: ``load``, ``save`` and ``flush``."""

    def __init__(self, path, base, stamp):
        self._path, self._base, self._stamp = path, base, stamp

    def _of(self, key):
        # Two keys could share a hash: the index holds the whole key.
        mark = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return _One(self._path, f"{self._base}.{mark}", self._stamp)

    def load(self, key):
        """Return the cached code, or None; damaged files may raise any exception."""
        return self._of(key).load(key)

    def save(self, key, data):
        """Write code, replacing what may be there."""
        one = self._of(key)
        try:
            one.save(key, data)
        except OSError:
            raise
        except Exception:  # an index that cannot be read may raise anything; it is written anew
            one.flush()
            one.save(key, data)

    def flush(self):
        """Do nothing: outdated code has another key, and unreadable files are written anew."""


def checked(path):
    """Return the content of a code file; raise UnpicklingError if it is not what was written."""
    with open(path, "rb") as file:
        digest, data = file.read(DIGEST), file.read()
    if hashlib.sha256(data).digest() != digest:
        raise UnpicklingError(f"{path} is damaged")
    return data
