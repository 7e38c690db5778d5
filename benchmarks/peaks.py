"""Many curve fits: the peaks of ``examples/gaussian_peaks.py``, compared with a loop over scipy.optimize.curve_fit."""

import functools
import importlib.util
from pathlib import Path

import numpy as np

from benchmarks.measure import Contest, Race, size, warmed
from benchmarks.peers import need

EXAMPLE = Path(__file__).parent.parent / "examples" / "gaussian_peaks.py"


def example():
    """Return the example as a module."""
    need("matplotlib")
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class AgainstCurveFit(Contest):
    """Fitting five parameters and their standard errors to noisy spectra, from the same starting points.

    numbaopt fits 100 000 spectra and curve_fit 100 of them, compared by the time per fit. On 1000 spectra the
    parameters of both agree within 1e-3 standard errors.
    """

    params = ["finite differences", "Jacobian"]
    param_names = ["theirs"]

    def race(self, derivatives):
        peaks, rng = example(), np.random.default_rng(0)
        spectra = peaks.measure(peaks.specimen(size(250, 25), size(400, 40), rng).reshape(-1, 5), rng)
        ours = warmed(lambda: peaks.fit(spectra))
        found, errors, result = ours()
        some = rng.choice(np.flatnonzero(result.success), size(1000, 100), replace=False)
        start = peaks.starts(spectra[some], peaks.ENERGY)
        assert np.max(peaks.deviation(found[some], spectra[some], start)) < 1e-3
        jac = peaks.jacobian if derivatives == "Jacobian" else None
        theirs = functools.partial(peaks.one_by_one, spectra[some[:100]], start[:100], jac=jac)
        return Race(ours, theirs, per=[len(spectra), 100])
