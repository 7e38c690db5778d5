"""What all tests share."""

import functools
import os
import re
import signal
import threading

# A shell lets what it starts in the background ignore Ctrl-C, which tests raise.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


collect_ignore = ["typing/usage.py"]  # for type checkers: it is not run


def pytest_generate_tests(metafunc):
    """Shorten the names of parametrised tests: every worker of pytest-xdist must see the same."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        if callable(mark.kwargs.get("ids")):
            mark.kwargs["ids"] = shortened(mark.kwargs["ids"])


def shortened(ids):
    """Return a function that names values as ``ids`` does, on one short line and without addresses."""

    @functools.wraps(ids)
    def name(value):
        text = ids(value)
        if not isinstance(text, str):
            return text
        text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
        return text if len(text) < 60 else text[:57] + "..."

    return name
