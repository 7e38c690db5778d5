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

import pytest
from hypothesis import HealthCheck, settings

from tests import selection

# A test's first example may have to compile, which no deadline should count. Failures are the same each time.
settings.register_profile(
    "numbaopt",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("numbaopt")


LARGEST = 650_000_000  # bytes of a process of the test run, beyond which it gets no more tests
SCHEDULER, MEMORY = pytest.StashKey(), pytest.StashKey()
collect_ignore = ["typing/usage.py"]  # for type checkers: it is not run


def pytest_generate_tests(metafunc):
    """Shorten the names of parametrized tests: every worker of pytest-xdist must see the same."""
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


def pytest_addoption(parser):
    parser.addoption(
        "--all",
        action="store_true",
        help="run every test, also those that are marked slow, and the cases that tests/selection.py leaves out",
    )
    parser.addoption("--rest", action="store_true", help="run only the tests that are left out by default")


def pytest_collection_modifyitems(config, items):
    """Leave out what runs only with --all, mark what runs with the lowest versions, and order the rest."""
    for item in items:
        if selection.lowest(item.nodeid):
            item.add_marker("lowest")
    if not config.getoption("all"):
        rest = config.getoption("rest")
        quick = {item for item in items if not item.get_closest_marker("slow") and selection.runs(item.nodeid)}
        config.hook.pytest_deselected(items=[item for item in items if (item in quick) == rest])
        items[:] = [item for item in items if (item in quick) != rest]
    items.sort(key=lambda item: selection.rank(item.nodeid))


# With pytest-xdist: the tests of one rule, or of one file, run in one process, so that nothing is compiled twice at
# the same time. A process that has grown gets no more tests, and another takes its place: LLVM does not return the
# memory of what it has compiled.


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        """Hands out groups of tests, in the order in which they were collected, to processes that are small."""

        def _split_scope(self, nodeid):
            return selection.group(nodeid)

        def _reschedule(self, node):
            if node not in self.registered_collections:  # a new process that has not collected the tests yet
                return
            few = self._pending_of(self.assigned_work[node]) <= 2
            if few and self.workqueue and not node.shutting_down and config.stash[MEMORY].get(node, 0) > LARGEST:
                node.shutdown()
            else:
                super()._reschedule(node)

    config.option.loadscopereorder = False
    config.stash[SCHEDULER], config.stash[MEMORY] = Scheduler(config, log), {}
    return config.stash[SCHEDULER]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Let a report say how much memory its process has, in bytes."""
    report = yield
    report.resident = resident()
    return report


def pytest_runtest_logreport(report):
    if hasattr(report, "node") and hasattr(report, "resident"):  # from another process; not of one that has crashed
        report.node.config.stash[MEMORY][report.node] = report.resident


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Start a process in place of one that was ended because it had grown, which would stay until the end otherwise."""
    session = node.config.pluginmanager.getplugin("dsession")
    if error is None and not session.shuttingdown and node.config.stash[SCHEDULER].workqueue:
        node.gateway.exit()
        session._clone_node(node)


def pytest_terminal_summary(terminalreporter, config):
    memory = config.stash.get(MEMORY, {})
    if memory:
        most = max(memory.values()) / 1e6
        terminalreporter.write_line(f"{len(memory)} processes had at most {most:.0f} MB each at the end of a test")


def resident():
    """Return the bytes of memory that this process has; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
