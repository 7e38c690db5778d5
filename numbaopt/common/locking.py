"""One lock for all that compiles, things that are made once however many threads ask for them, and life after a fork.

The lock is Numba's own. With another one beside it, a thread that holds ours and is about to compile would wait for a
thread that compiles code of the user's and comes across something of ours, and that one for the first, for ever.
"""

import functools
import os

from numba.core.compiler_lock import global_compiler_lock as lock

_forked = False


def once(function=None, *, most=None):
    """Keep what a function returns, by its arguments, as `functools.lru_cache` does; no two threads make the same.

    What is there already is had without waiting for the lock. Of more than ``most`` things the oldest is let go.
    """
    if function is None:
        return functools.partial(once, most=most)
    made = {}

    @functools.wraps(function)
    def kept(*given):
        try:
            return made[given]
        except KeyError:
            pass
        with lock:
            if given not in made:
                made[given] = function(*given)
                if most is not None and len(made) > most:
                    del made[next(iter(made))]
            return made[given]

    kept.cache_clear = made.clear
    return kept


class lazy:  # noqa: N801
    """A value that is computed when it is first asked for; `functools.cached_property` without a lock.

    Up to Python 3.11 that one has a lock for all objects of a class, which a child forked meanwhile never gets.
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
    """Tell whether this process is a forked child, in which a parallel kernel may die."""
    return _forked


def _in_child():
    global _forked
    _forked = True
    lock.release()


if hasattr(os, "register_at_fork"):
    # No fork while another thread compiles: the child would have a compiler that stands still half way, and locked.
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=_in_child)
