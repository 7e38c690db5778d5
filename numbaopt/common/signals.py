"""Deferring Ctrl-C for as long as it would do harm."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def interrupts_deferred():
    """Deliver a Ctrl-C that arrives in this block at the end of the block.

    Outside the main thread there is nothing to defer, nor where no Python function handles the signal.
    """
    handler, received = signal.getsignal(signal.SIGINT), []
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    signal.signal(signal.SIGINT, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[-1])
