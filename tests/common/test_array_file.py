"""Files of arrays: what is on the disk before the name of the old file is taken."""

import os
import stat

import numpy as np
import pytest

from numbaopt.common import array_file


@pytest.mark.skipif(os.name != "posix", reason="directories cannot be opened")
def test_the_file_is_on_disk_before_its_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    path, done = str(tmp_path / "run"), []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle):
        status = os.fstat(handle)
        done.append("directory" if stat.S_ISDIR(status.st_mode) else f"file of {status.st_size} bytes")
        fsync(handle)

    def noted_replace(source, target):
        done.append(f"{os.path.getsize(source)} bytes renamed to {target}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    array_file.write(path, {"step": 3}, {"x": np.arange(3.0)})
    size = os.path.getsize(path)
    assert done == [f"file of {size} bytes", f"{size} bytes renamed to {path}", "directory"]
    description, arrays = array_file.read(path)
    assert description == {"step": 3} and os.listdir(tmp_path) == ["run"]
    np.testing.assert_array_equal(arrays["x"], [0.0, 1.0, 2.0])
