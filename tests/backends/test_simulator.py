"""The CUDA kernels without a device: test_cuda.py under Numba's simulator, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0", reason="simulated already")
def test_under_the_simulator(request):
    tests = Path(__file__).with_name("test_cuda.py")
    every = ["--all"] if request.config.getoption("all") else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *every, str(tests)],
        cwd=tests.parents[2],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-5000:] + done.stderr[-2000:]
