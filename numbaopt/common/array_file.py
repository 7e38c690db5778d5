"""Files of named arrays, written atomically and verified by a checksum.

A file consists of a line that identifies the format, a line with the length of the header in bytes, the header (JSON,
which holds the description and the name, dtype and shape of each array), the data of the arrays (little-endian, in C
order), and the SHA-256 digest of everything before it (32 bytes). Reading a file never executes code.
"""

import hashlib
import json
import os
import re
import threading

import numpy as np

MAGIC = b"numbaopt checkpoint "
VERSION = 2
_FIRST_LINE = MAGIC + b"%d\n" % VERSION
_DIGEST = 32  # bytes
_DTYPES = ("<f4", "<f8")
_REMEDY = "Pass the path of another checkpoint, or omit resume to start from the beginning."


def write(path, description, arrays):
    """Write a file, replacing an existing one only after the new one is on the disk.

    Parameters
    ----------
    path : str
        Where to write.
    description : dict
        Any value that JSON can represent.
    arrays : dict of str to ndarray
        Arrays of dtype float32 or float64.

    Raises
    ------
    OSError
        If the file cannot be written. An existing file is then unchanged.
    """
    members = [(name, array, array.dtype.newbyteorder("<")) for name, array in arrays.items()]
    layout = [[name, dtype.str, array.shape] for name, array, dtype in members]
    header = json.dumps({"about": description, "arrays": layout}).encode()
    contents = (array.astype(dtype, "C").tobytes() for _, array, dtype in members)
    parts = [_FIRST_LINE, b"%d\n" % len(header), header, *contents]
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
    """Read a file that `write` has written, after verifying its checksum.

    Parameters
    ----------
    path : str
        The file to read.

    Returns
    -------
    description : dict
        The description that was passed to `write`.
    arrays : dict of str to ndarray
        The arrays that were passed to `write`, in native byte order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file has another format or another version of this format, or is truncated or damaged.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        text = f"there is no checkpoint {path!r} to resume from. Pass the path of an existing checkpoint, or"
        text += " checkpoint=... with resume=True, which starts a new run if the file does not exist"
        raise FileNotFoundError(text) from None
    except IsADirectoryError:
        raise ValueError(f"{path!r} is a directory, not a checkpoint. {_REMEDY}") from None
    if not data.startswith(MAGIC):
        truncated = MAGIC.startswith(data)
        problem = f"is truncated: it has only {len(data)} bytes" if truncated else "is not a checkpoint of numbaopt"
        raise ValueError(f"{path!r} {problem}. {_REMEDY}")
    line, newline, body = data.partition(b"\n")
    if newline and line + newline != _FIRST_LINE and re.fullmatch(rb"\d{1,9}", version := line[len(MAGIC) :]):
        text = f"{path!r} is a checkpoint of format {int(version)}, but this version of numbaopt reads format {VERSION}"
        raise ValueError(f"{text}: resume with the version that wrote it, or omit resume to start from the beginning.")
    if len(data) < _DIGEST or hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        text = f"{path!r} is truncated or damaged: its checksum does not match its {len(data)} bytes"
        raise ValueError(f"{text}. {_REMEDY}")
    try:
        return _parse(body[:-_DIGEST])
    except (ValueError, TypeError, KeyError) as error:  # the checksum matches, but `write` did not write this
        raise ValueError(f"{path!r} is damaged: {error}. {_REMEDY}") from None


def _parse(body):
    length, _, body = body.partition(b"\n")
    position = int(length)
    header = json.loads(body[:position])
    arrays = {}
    for name, dtype, shape in header["arrays"]:
        if dtype not in _DTYPES:
            raise ValueError(f"array {name} has dtype {dtype}")
        count = int(np.prod(shape, dtype=np.int64))
        flat = np.frombuffer(body, dtype, count, position)
        arrays[name] = flat.astype(flat.dtype.newbyteorder("=")).reshape(shape)
        position += flat.nbytes
    if position != len(body):
        raise ValueError(f"it has {len(body) - position} bytes after the last array")
    return header["about"], arrays


def prepare(path):
    """Check that `write` will be able to write a file, so that a long run does not fail at its first checkpoint.

    Temporary files that killed processes have left for the same path are removed.

    Parameters
    ----------
    path : str
        Where `write` will write.

    Raises
    ------
    ValueError
        If the path names something that must not be overwritten.
    OSError
        If no file can be created in the directory.
    """
    if os.path.lexists(path) and not os.path.isfile(path):
        text = f"checkpoint {path!r} is not a regular file and will not be overwritten"
        raise ValueError(f"{text}: pass the path of a file, which need not exist")
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                text = f"checkpoint {path!r} exists but is not a checkpoint of numbaopt, so it will not be overwritten"
                raise ValueError(f"{text}: pass another path, or remove the file")
    _remove_abandoned(path)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb"):
            pass
    except OSError as error:
        text = f"checkpoint {path!r} cannot be written: no file can be created in its directory ({error.strerror})"
        raise type(error)(error.errno, text) from None
    finally:
        _remove(temporary)


def _temporary(path):
    """Return the path of the temporary file in the same directory; its name contains the process and thread ids."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{os.getpid()}.{threading.get_ident()}.tmp")


def _remove_abandoned(path):
    """Remove the temporary files of processes that no longer run."""
    directory, name = os.path.split(path)
    if os.name != "posix":  # os.kill(pid, 0) ends the process on Windows
        return
    try:
        candidates = os.listdir(directory or ".")
    except OSError:
        return
    for candidate in candidates:
        match = re.fullmatch(rf"\.{re.escape(name)}\.(\d+)\.\d+\.tmp", candidate)
        if match and not _is_running(int(match[1])):
            _remove(os.path.join(directory, candidate))


def _is_running(process):
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
    """Flush the directory entry to the disk, on systems that can open a directory."""
    try:
        handle = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:  # some file systems cannot sync a directory
        pass
    finally:
        os.close(handle)
