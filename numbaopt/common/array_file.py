"""Files of named arrays that are whole or are refused: written beside the old one and renamed, read by checksum.

A file is a line that says what it is, a line with the length of the description, the description (JSON, which says
the names, dtypes and shapes of the arrays), the arrays as they lie in memory, little-endian, and 32 bytes: the SHA-256
of all that is before. Nothing in it is ever executed.
"""

import hashlib
import json
import os
import re
import threading

import numpy as np

MAGIC = b"numbaopt checkpoint "
VERSION = 1
_HEAD = MAGIC + b"%d\n" % VERSION
_DIGEST = 32  # bytes
_KINDS = ("<f4", "<f8")
_REMEDY = "Take another file, or leave out resume to start anew."


def write(path, description, arrays):
    """Write a file in the place of an old one, which stays until the new one is on the disk.

    Parameters
    ----------
    path : str
    description : dict
        What JSON can say.
    arrays : dict of ndarray
        float32 and float64, by name.

    Raises
    ------
    OSError
        The old file is as it was then.
    """
    members = [(name, array, array.dtype.newbyteorder("<")) for name, array in arrays.items()]
    told = [[name, kind.str, array.shape] for name, array, kind in members]
    text = json.dumps({"about": description, "arrays": told}).encode()
    parts = [_HEAD, b"%d\n" % len(text), text, *(array.astype(kind, "C").tobytes() for _, array, kind in members)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            file.writelines([*parts, digest.digest()])
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise
    _sync_directory(path)


def read(path):
    """Return what `write` was given; all of it is checked first.

    Returns
    -------
    description : dict
    arrays : dict of ndarray

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is another's, of another version, truncated or damaged.
    """
    try:
        with open(path, "rb") as file:
            whole = file.read()
    except FileNotFoundError:
        text = f"there is no checkpoint {path!r} to resume from"
        raise FileNotFoundError(f"{text}; resume=True, with checkpoint, starts anew where there is none") from None
    except IsADirectoryError:
        raise ValueError(f"{path!r} is a directory, not a checkpoint. {_REMEDY}") from None
    if not whole.startswith(MAGIC):
        cut = MAGIC.startswith(whole)
        wrong = f"is truncated: it has {len(whole)} bytes" if cut else "is not a checkpoint of numbaopt"
        raise ValueError(f"{path!r} {wrong}. {_REMEDY}")
    line, newline, rest = whole.partition(b"\n")
    if newline and line + newline != _HEAD and re.fullmatch(rb"\d{1,9}", version := line[len(MAGIC) :]):
        text = f"{path!r} is a checkpoint of format {int(version)}, and this numbaopt reads format {VERSION}"
        raise ValueError(f"{text}: resume with the numbaopt that wrote it, or start anew without resume.")
    if len(whole) < _DIGEST or hashlib.sha256(whole[:-_DIGEST]).digest() != whole[-_DIGEST:]:
        text = f"{path!r} is truncated or damaged: its checksum is not that of its {len(whole)} bytes"
        raise ValueError(f"{text}. {_REMEDY}")
    try:
        return _parsed(rest[:-_DIGEST])
    except (ValueError, TypeError, KeyError) as error:  # the right checksum, but nothing that `write` writes
        raise ValueError(f"{path!r} is damaged: {error}. {_REMEDY}") from None


def _parsed(rest):
    length, _, rest = rest.partition(b"\n")
    at = int(length)
    described = json.loads(rest[:at])
    arrays = {}
    for name, kind, shape in described["arrays"]:
        if kind not in _KINDS:
            raise ValueError(f"{name} is of dtype {kind}")
        count = int(np.prod(shape, dtype=np.int64))
        flat = np.frombuffer(rest, kind, count, at)
        arrays[name] = flat.astype(flat.dtype.newbyteorder("=")).reshape(shape)
        at += flat.nbytes
    if at != len(rest):
        raise ValueError(f"{len(rest) - at} bytes are left over")
    return described["about"], arrays


def prepare(path):
    """See to it that `write` can write here, before hours depend on it.

    Raises
    ------
    ValueError
        Where something else is that must not be overwritten.
    OSError
        Where nothing can be written.
    """
    if os.path.lexists(path) and not os.path.isfile(path):
        raise ValueError(f"checkpoint {path!r} is no file, and is not written over: give the name of a file")
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                text = f"checkpoint {path!r} exists and is no checkpoint of numbaopt, so it is not written over"
                raise ValueError(f"{text}: give another name, or remove it")
    _clear(path)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb"):
            pass
    except OSError as error:
        text = f"checkpoint {path!r} cannot be written: its directory takes no file ({error.strerror})"
        raise type(error)(error.errno, text) from None
    finally:
        _remove(temporary)


def _temporary(path):
    """Return where to write first: in the same directory, by a name that tells which process and thread does."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{os.getpid()}.{threading.get_ident()}.tmp")


def _clear(path):
    """Remove what processes that were killed had begun to write."""
    directory, name = os.path.split(path)
    if os.name != "posix":  # elsewhere, to ask for a process is to end it
        return
    try:
        found = os.listdir(directory or ".")
    except OSError:
        return
    for other in found:
        written_by = re.fullmatch(rf"\.{re.escape(name)}\.(\d+)\.\d+\.tmp", other)
        if written_by and not _alive(int(written_by[1])):
            _remove(os.path.join(directory, other))


def _alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync_directory(path):
    """Make the new name last, where a directory can be opened."""
    try:
        handle = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:  # some file systems have no such thing
        pass
    finally:
        os.close(handle)
