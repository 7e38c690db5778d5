"""Where compiled code is kept on disk, and under which key."""

import functools
import hashlib
import linecache
import os
import re
import tempfile
from pathlib import Path

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from numbaopt.backends.cache_files import Files

# The packages with code that is compiled, or that writes text that is, from the lowest floor to the highest. What is
# compiled in one of them may contain code of that one and of those before it, and of no others.
COMPILED = "common", "lowering", "backends", "objectives", "data", "problems", "solvers", "drivers", "many", "embedded"


@functools.cache
def fingerprint(package="embedded"):
    """Return a hash of all files that code compiled in a package may come from.

    Numba itself looks only at the file of the function that it compiles, and not at those of the functions that this
    one calls.
    """
    home, seen = Path(__file__).parents[1], hashlib.sha256()
    for name in COMPILED[: COMPILED.index(package) + 1]:
        files = [home / f"{name}.py"] if (home / f"{name}.py").exists() else sorted((home / name).rglob("*.py"))
        for file in files:
            seen.update(f"{file.relative_to(home)}\0".encode() + file.read_bytes())
    return seen.hexdigest()


def home_of(function):
    """Return the highest package that the code of a function may come from.

    That is the function's package or, for a function of a generated text, the highest one that the text imports from.
    Of any other function, which has its code from who knows where, it is the highest of all.
    """
    module = function.__module__ or ""
    if module.startswith("numbaopt."):
        return module.split(".")[1]
    if not module.startswith("numbaopt_"):  # what `cpu.load` calls its modules
        return COMPILED[-1]
    text = "".join(linecache.getlines(function.__code__.co_filename))
    found = {"backends", *re.findall(r"^\s*from numbaopt\.(\w+)", text, re.MULTILINE)}
    return max(found, key=COMPILED.index)  # ValueError for a package that is not in the list


def _homeless():
    """Tell whether the user has no home: expanding ``~`` then gives a relative path of that name."""
    return not os.environ.get("XDG_CACHE_HOME") and os.path.expanduser("~").startswith("~")


class _Places(CompileResultCacheImpl):
    """Where Numba looks for a place to keep things, except in a home that there is not."""

    if _homeless():
        _locator_classes = [c for c in CompileResultCacheImpl._locator_classes if "UserWide" not in c.__name__]


class KernelCache(FunctionCache):
    """Numba's cache, except that what cannot be read is compiled again and what cannot be written is let go.

    Parameters
    ----------
    function : function
        What is compiled.
    options : dict
        Options of the compilation. Numba's own key leaves them out.
    """

    _impl_class = _Places

    def __init__(self, function, options):
        super().__init__(function)
        self._options = repr(sorted((name, str(value)) for name, value in options.items()))
        self._function = function
        self._cache_file = Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def _index_key(self, sig, codegen):
        made_by = fingerprint(home_of(self._function))
        return (*super()._index_key(sig, codegen), made_by, self._options, bool(numba.config.BOUNDSCHECK))

    def load_overload(self, sig, target_context):
        """Return what was compiled for a signature, or None."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a truncated or foreign pickle, or machine code, raises what it likes
            return None

    def save_overload(self, sig, data):
        """Keep what was compiled for a signature, where that can be."""
        try:
            super().save_overload(sig, data)
        except OSError:
            pass


def directory():
    """Return the directory where texts lie, beside which Numba puts what it made of them; None if there is none."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        if _homeless():
            return None
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base) / "numbaopt"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK) else None


def text_file(text, name):
    """Keep the text in a file named after its hash: Numba's cache is keyed by that file."""
    key = f"{name}_{hashlib.sha256(f'{numba.__version__}{text}'.encode()).hexdigest()[:16]}"
    folder = directory()
    if folder is not None:
        path = folder / f"{key}.py"
        try:
            if not path.exists() or path.read_bytes() != text.encode():
                handle, temporary = tempfile.mkstemp(dir=folder)
                try:
                    with os.fdopen(handle, "wb") as file:
                        file.write(text.encode())
                    os.replace(temporary, path)
                except OSError:  # no room
                    os.unlink(temporary)
                    raise
            return str(path), key
        except OSError:
            pass
    return f"<numbaopt {key}>", key
