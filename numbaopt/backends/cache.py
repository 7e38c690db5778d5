"""Where compiled code is cached on disk, and under which key."""

import functools
import hashlib
import linecache
import os
import re
import tempfile
from pathlib import Path

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.registry import cpu_target

from numbaopt.backends.cache_files import Files
from numbaopt.common.signals import interrupts_deferred

# The packages that contain compiled code, or write the text of it, from the lowest floor to the highest. The compiled
# code of a package may contain code of this package and of those before it in the list, and of no others.
COMPILED = "common", "lowering", "backends", "objectives", "data", "problems", "solvers", "drivers", "many", "embedded"


@functools.cache
def fingerprint(package="embedded"):
    """Return a hash of all files that the compiled code of a package may come from.

    Numba itself looks at the file of the function that it compiles, but not at the files of the functions that this
    function calls.
    """
    home, digest = Path(__file__).parents[1], hashlib.sha256()
    for name in COMPILED[: COMPILED.index(package) + 1]:
        files = [home / f"{name}.py"] if (home / f"{name}.py").exists() else sorted((home / name).rglob("*.py"))
        for file in files:
            text = file.read_bytes()
            digest.update(f"{file.relative_to(home).as_posix()}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()


def home_of(function):
    """Return the highest package that the code of a function may come from.

    That is the function's package or, for a function of a generated text, the highest one that the text imports from.
    Any other function may call functions of every package.
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
    """Return whether the user has no home directory; expanding ``~`` then gives a relative path of that name."""
    return not os.environ.get("XDG_CACHE_HOME") and os.path.expanduser("~").startswith("~")


class _Places(CompileResultCacheImpl):
    """Where Numba looks for a cache directory, without the home directory if there is none."""

    if _homeless():
        _locator_classes = [c for c in CompileResultCacheImpl._locator_classes if "UserWide" not in c.__name__]


class KernelCache(FunctionCache):
    """Numba's cache, except that unreadable files are compiled again and failed writes are ignored.

    Parameters
    ----------
    function : function
        The function to compile.
    options : dict
        The options of the compilation, which Numba leaves out of its key.
    """

    _impl_class = _Places

    def __init__(self, function, options):
        super().__init__(function)
        self._options = repr(sorted((name, str(value)) for name, value in options.items()))
        self._function = function
        self._cache_file = Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def _index_key(self, sig, codegen):
        sources = fingerprint(home_of(self._function))
        return (*super()._index_key(sig, codegen), sources, self._options, bool(numba.config.BOUNDSCHECK))

    def load_overload(self, sig, target_context):
        """Return the code that was cached for a signature, or None."""
        refresh()
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a truncated or foreign pickle may raise anything; the code is then compiled again
            return None

    def save_overload(self, sig, data):
        """Cache the code of a signature, if it can be written."""
        try:
            super().save_overload(sig, data)
        except OSError:
            pass


def refresh():
    """Make Numba register what has been imported. Ctrl-C waits: after half of it nothing would compile any more."""
    with interrupts_deferred():
        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


def directory():
    """Return the directory of the generated texts, next to which Numba caches their code; None if there is none."""
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
    """Write a text to a file named after its hash, by which Numba finds its code; return the file name and a key.

    If the file cannot be written, the name is not that of a file, and the code is not cached.
    """
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
                except OSError:  # no space is left
                    os.unlink(temporary)
                    raise
            return str(path), key
        except OSError:
            pass
    return f"<numbaopt {key}>", key
