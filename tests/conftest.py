"""What all tests share."""

import os
import re

# Before matplotlib is imported anywhere: tests draw to files.
os.environ["MPLBACKEND"] = "Agg"

from hypothesis import HealthCheck, settings

# A test's first example may have to compile, which no deadline should count. Failures are the same each time.
settings.register_profile(
    "numbaopt",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("numbaopt")


def pytest_itemcollected(item):
    """Take addresses out of the names of parametrised tests: every worker of pytest-xdist must see the same names."""
    item._nodeid = re.sub(r" at 0x[0-9a-fA-F]+", "", item.nodeid)
