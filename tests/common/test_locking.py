"""Many threads at once: each has, to the bit, what it has alone, and hears of no other's exceptions."""

import threading

import numpy as np
import pytest
from numba import njit
from numba.core import event

import numbaopt
from numbaopt import Optimizer, minimize, minimize_many
from numbaopt.backends.cpu import PARALLEL_FROM
from numbaopt.common import locking
from numbaopt.rule import rule

MANY = 16


def together(*functions):
    """Call functions in threads of their own, all at once; return what each returned or raised, in order."""
    ends, barrier = [None] * len(functions), threading.Barrier(len(functions))

    def call(k, function):
        barrier.wait()
        try:
            ends[k] = function()
        except BaseException as error:
            ends[k] = error

    started = [threading.Thread(target=call, args=pair) for pair in enumerate(functions)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return ends


def bits(*things):
    return b"".join(np.asarray(thing, float).tobytes() for thing in things)


@njit
def bowl(x, grad, center):
    f = 0.0
    for i in range(x.size):
        grad[i] = 2 * (x[i] - center)
        f += (x[i] - center) ** 2
    return f


def plain_bowl(x, center):
    return ((x - center) ** 2).sum(), 2 * (x - center)


@njit
def squares(w, grad, A, b):
    r = A @ w - b
    grad[:] = A.T @ r / b.size
    return r @ r / (2 * b.size)


A = np.random.default_rng(0).normal(size=(64, 3))
DATA = A, A @ np.array([1.0, -2.0, 3.0])
ADAM = numbaopt.adam(lr=0.1)  # one object for all threads


def shared(method, seed):
    r = minimize(bowl, [seed, -1.0], args=(1.5,), jac="inplace", method=method, options={"maxiter": 200})
    return bits(r.x, r.fun, r.jac, r.nit, r.nfev)


def python(method, seed):
    seen = []
    r = minimize(
        plain_bowl,
        [seed, -1.0],
        args=(1.5,),
        jac=True,
        method=method,
        bounds=[(0, 4), (None, 3)],
        callback=lambda x: seen.append(x.copy()),
        options={"maxiter": 50},
    )
    return bits(r.x, r.fun, r.nit, *seen)


def batches(fun, seed):
    r = minimize(fun, np.zeros(3), data=DATA, jac="inplace", batch_size=10, epochs=3, seed=int(seed), method=ADAM)
    return bits(r.x, r.fun, r.nit)


def many(seed):
    centers = np.linspace(seed, 3, 40)
    r = minimize_many(bowl, np.ones((40, 2)), data=centers, jac="inplace", method="lbfgs", threads=2)
    return bits(r.x, r.fun, r.nit)


def steps(n, seed):
    x = np.linspace(-1, seed, n)
    state = ADAM.init(x)
    for _ in range(4):
        ADAM.step(x, x - 0.3, state)
    return bits(x, state.s)


def optimizer(seed):
    params = {"w": np.full((3, 4), seed), "b": np.ones(4)}
    one = Optimizer(numbaopt.lamb(lr=0.1), params)
    for _ in range(4):
        one.grads["w"][:], one.grads["b"][:] = params["w"], 1
        one.step()
    return bits(params["w"], params["b"])


@pytest.mark.parametrize(
    "job",
    [
        lambda seed: shared(ADAM, seed),
        lambda seed: shared("lbfgs", seed),
        lambda seed: python("adam", seed),
        lambda seed: batches(squares, seed),
        lambda seed: batches(squares.py_func, seed),
        many,
        lambda seed: steps(5, seed),
        lambda seed: steps(PARALLEL_FROM + 3, seed),
        optimizer,
    ],
    ids="compiled solver callback minibatch plain-minibatch many step parallel-step optimizer".split(),
)
def test_same_bits_as_alone(job):
    seeds = np.linspace(2, 3, 4)
    alone = [job(seed) for seed in seeds]
    assert len(set(alone)) > 1, "what is compared tells the seeds apart"
    ends = together(*[lambda seed=seed: job(seed) for seed in np.tile(seeds, MANY // 4)])
    assert ends == alone * (MANY // 4)


def test_different_things_at_once():
    jobs = [
        *(lambda method=method: shared(method, 2.5) for method in ("adam", "rmsprop", "lbfgs")),
        lambda: python("adam", 2.5),
        lambda: batches(squares, 1),
        lambda: many(2.5),
        lambda: steps(PARALLEL_FROM + 3, 2.5),
        lambda: optimizer(2.5),
    ]
    alone = [job() for job in jobs]
    assert together(*jobs, *jobs) == alone * 2


class Compiled(event.Listener):
    def __init__(self):
        self.names = []

    def on_start(self, what):
        self.names.append(what.data["dispatcher"].py_func.__name__)

    def on_end(self, what):
        pass


def test_a_new_objective_is_compiled_once():
    @njit
    def another(x, grad):
        grad[:] = 4 * x**3
        return (x**4).sum()

    def job():
        r = minimize(another, [1.0, 2.0], jac="inplace", method="adam", options={"maxiter": 20})
        return bits(r.x, r.fun)

    listener = Compiled()
    with event.install_listener("numba:compile", listener):
        ends = together(*[job] * MANY)
    assert len(set(ends)) == 1 and ends[0] == job()
    assert listener.names.count("another") == 1 and listener.names.count("objective") == 1


def test_two_dtypes_at_once():
    # While one is compiled, a call with what does not fit is refused as ever, and nothing is compiled for it.
    @rule
    def halved(x, g, t, lr=0.5):
        return x - lr * g

    def job(dtype):
        def walk():
            x = np.ones(3, dtype)
            state = halved.init(x)
            for k in range(3):
                halved.step(x, [1, 2, k], state)  # made an array of the state's dtype on the way
            return x.dtype, x.tolist()

        return walk

    kinds = [np.float32, np.float64] * (MANY // 2)
    ends = together(*map(job, kinds))
    assert ends == [(np.dtype(kind), [-0.5, -2.0, -0.5]) for kind in kinds]
    assert len(halved.kernel(np.ones(3)).signatures) == 2


def test_an_exception_is_for_its_own_thread():
    class Mine(Exception):
        pass

    def job(k):
        def fun(x):
            calls.append(k)
            if k % 2 and calls.count(k) > 10 + k:
                raise Mine(k)
            return plain_bowl(x, 1.5)

        calls = []
        return lambda: minimize(fun, [float(k), 0.0], jac=True, method=ADAM, options={"maxiter": 60})

    ends = together(*map(job, range(MANY)))
    for k, end in enumerate(ends):
        if k % 2:
            assert type(end) is Mine and end.args == (k,) and end.result.nit == 10 + k
        else:
            assert end.x.tobytes() == job(k)().x.tobytes()


def test_once():
    made, go = [], threading.Event()

    @locking.once(most=2)
    def slow(a):
        made.append(a)
        go.wait(5)
        return [a]

    def set_later():
        threading.Event().wait(0.05)
        go.set()

    *ends, _ = together(*[lambda: slow(1)] * 8, set_later)
    assert made == [1] and all(end is ends[0] for end in ends)
    assert slow(2) is slow(2) and made == [1, 2]
    slow(3)
    assert slow(2) is slow(2) and slow(1) is not ends[0] and made == [1, 2, 3, 1]  # the oldest was let go


def test_once_keeps_no_exception():
    tried = []

    @locking.once
    def fails(a):
        tried.append(a)
        raise ZeroDivisionError(a)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fails(1)
    assert tried == [1, 1]


def test_lazy():
    class Thing:
        @locking.lazy
        def value(self):
            """Return something."""
            return []

    thing = Thing()
    assert thing.value is thing.value and Thing().value is not thing.value
    assert Thing.value.__doc__ == "Return something."


def test_no_deadlock_between_our_lock_and_numbas():
    # One thread holds Numba's lock and asks for something of ours; another compiles a step.
    entered = threading.Event()

    @locking.once
    def ours(a):
        return a

    def holding():
        with locking.lock:
            entered.set()
            threading.Event().wait(0.05)  # long enough for the other one to stand before the lock
            return ours(3)

    def compiling():
        entered.wait(5)
        return ours(4), steps(7, 1.0)

    ends = []
    worker = threading.Thread(target=lambda: ends.extend(together(holding, compiling)), daemon=True)
    worker.start()
    worker.join(60)
    assert ends == [3, (4, steps(7, 1.0))]
