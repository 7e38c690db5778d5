"""The CUDA kernels without a device: test_cuda.py under Numba's simulator, in a process of its own.

By its name it comes late: most of the CPU's steps, which it compares with, have been compiled by then.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0", reason="simulated already")
def test_under_the_simulator():
    tests = Path(__file__).with_name("test_cuda.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
        cwd=tests.parents[2],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-5000:] + done.stderr[-2000:]
