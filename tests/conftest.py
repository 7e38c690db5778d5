"""What all tests share."""

import os

# Before matplotlib is imported anywhere: tests draw to files.
os.environ["MPLBACKEND"] = "Agg"

from hypothesis import HealthCheck, settings

# A test's first example may have to compile, which no deadline should count; and failures are the same everywhere.
settings.register_profile(
    "numbaopt",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("numbaopt")
