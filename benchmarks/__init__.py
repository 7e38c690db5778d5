"""Benchmarks of numbaopt: an asv suite (``asv run``), and its bars at a glance (``python -m benchmarks.report``).

What must be set before Numba, torch and JAX are imported is set here: two threads on every side, and a kernel cache for
each commit. Numba judges the freshness of a cached kernel by one file alone, so with one cache for all asv could time
the kernels of another commit.
"""

import importlib.util
import os
import tempfile
from pathlib import Path

THREADS = 2
for _name in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_name}_NUM_THREADS"] = str(THREADS)

_commit = os.environ.get("ASV_COMMIT") or "working-tree"
os.environ["NUMBA_CACHE_DIR"] = os.path.join(tempfile.gettempdir(), f"numbaopt-benchmarks-{_commit}")

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
_spec = importlib.util.find_spec("numbaopt")
if _spec is not None:  # fresh interpreters are to find the same package
    os.environ["PYTHONPATH"] = str(Path(_spec.origin).parent.parent)
