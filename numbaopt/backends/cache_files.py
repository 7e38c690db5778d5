"""The files in which compiled code is kept: safe beside other processes, and against what becomes of files.

Numba numbers the code of a function's signatures, and one index says which is which. Of two processes that write at
once the later one's index is all that is left, and may lead to the other one's code; what a broken disk or half a copy
has made of machine code is run as it is. Here each signature has an index and a file of its own, and a checksum.
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
    """What `numba.core.caching.Cache` asks for its files: ``load``, ``save`` and ``flush``."""

    def __init__(self, path, base, stamp):
        self._path, self._base, self._stamp = path, base, stamp

    def _of(self, key):
        # Of different keys of one name, which is possible, the index tells which it is.
        mark = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return _One(self._path, f"{self._base}.{mark}", self._stamp)

    def load(self, key):
        """Return what was kept, or None; raise whatever it is where that cannot be read."""
        return self._of(key).load(key)

    def save(self, key, data):
        """Keep what was compiled, in the place of what may be there."""
        one = self._of(key)
        try:
            one.save(key, data)
        except OSError:
            raise
        except Exception:  # of an index that cannot be read, which raises what it likes
            one.flush()
            one.save(key, data)

    def flush(self):
        """Forget nothing: what is out of date has another key, and what cannot be read is written anew."""


def checked(path):
    """Return what a file of machine code holds; UnpicklingError where it is not what was written there."""
    with open(path, "rb") as file:
        digest, data = file.read(DIGEST), file.read()
    if hashlib.sha256(data).digest() != digest:
        raise UnpicklingError(f"{path} is damaged")
    return data
