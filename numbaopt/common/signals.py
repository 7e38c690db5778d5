"""Ctrl-C, held back for as long as it would do harm."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def held():
    """Deliver a Ctrl-C that comes in this block at its end.

    Only in the main thread are there any, and only where a function of Python's takes them.
    """
    earlier, seen = signal.getsignal(signal.SIGINT), []
    if threading.current_thread() is not threading.main_thread() or not callable(earlier):
        yield
        return
    signal.signal(signal.SIGINT, lambda *given: seen.append(given))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
        if seen:
            earlier(*seen[-1])
