"""Benchmarks of numbaopt: an asv suite (``asv run``), and a table of its targets (``python -m benchmarks.report``).

This module sets what must be set before Numba, torch and JAX are imported: two threads for every library, and a
separate kernel cache for each commit. Numba checks only one source file to decide whether a cached kernel is up to
date, so with a shared cache asv could measure the kernels of another commit.
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

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have bytecode, too
_spec = importlib.util.find_spec("numbaopt")
if _spec is not None:  # so that new interpreters import the same package
    os.environ["PYTHONPATH"] = str(Path(_spec.origin).parent.parent)
