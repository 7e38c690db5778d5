"""The lock around compiling, values that are computed once for all threads, and what to know after a fork.

The lock is Numba's own. With a second lock there could be a deadlock: a thread that holds the second lock and wants to
compile would wait for a thread that is compiling code of the user's, and that thread would wait for the second lock.
"""

import functools
import os

from numba.core.compiler_lock import global_compiler_lock as lock

_forked = False


def once(function=None, *, most=None):
    """Cache the results of a function, as `functools.lru_cache` does, but never compute one in two threads at once.

    A cached result is returned without waiting for the lock. If there are more than ``most``, the oldest is dropped.
    """
    if function is None:
        return functools.partial(once, most=most)
    results = {}

    @functools.wraps(function)
    def cached(*arguments):
        try:
            return results[arguments]
        except KeyError:
            pass
        with lock:
            if arguments not in results:
                results[arguments] = function(*arguments)
                if most is not None and len(results) > most:
                    del results[next(iter(results))]
            return results[arguments]

    cached.cache_clear = results.clear
    return cached


class lazy:  # noqa: N801
    """A property that is computed when it is first read: `functools.cached_property` without a lock.

    Up to Python 3.11, `functools.cached_property` has one lock for all objects of a class. A child that is forked while
    another thread holds it waits forever.
    """

    def __init__(self, function):
        self._function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = vars(instance)[self._name] = self._function(instance)
        return value


def forked():
    """Return whether this process is a forked child, in which a parallel kernel may abort."""
    return _forked


def _in_child():
    global _forked
    _forked = True
    lock.release()


if hasattr(os, "register_at_fork"):
    # A fork waits until no other thread is compiling: in the child it would never end, nor release the lock.
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=_in_child)
