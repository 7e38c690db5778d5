"""Processes that are killed at random moments, while they step or write, go on to the same bits."""

import os
import subprocess
import sys

import pytest

KILLS = 8  # of each kind of run
SCRIPT = """
import os, pickle, random, signal, sys, time
import numpy as np
from numba import njit
from numbaopt import adam, minimize
from numbaopt.schedules import cosine

@njit
def work(x, grad, a, spin):
    f = 0.0
    for i in range(x.size):
        r = x[i] - a[i % a.size]
        grad[i] = 2 * r + np.sin(f)
        f += r * r
    for i in range(spin):  # what takes its time
        f += 1e-20 * np.sin(f + i)
    return f

kind, path, kills, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
driver, minibatch = kind.split()
fun = work if driver == "compiled" else lambda *args: work(*args)
steps = 6000 if driver == "compiled" else 400
a = np.random.default_rng(0).normal(size=(64, 3))
data = {"data": a.ravel(), "batch_size": 5, "epochs": steps // 39 + 1, "seed": 3} if minibatch == "batches" else {}
args = (4000,) if data else (a.ravel(), 4000)
method, options = adam(lr=cosine(1e-2, steps)), {} if data else {"maxiter": steps, "gtol": 0}
def solve(**given):
    return minimize(fun, np.zeros(4), args, method, "inplace", options=options, **data, **given)
def picture(result):
    return pickle.dumps({k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in result.items()})

solve(checkpoint=path + ".warm", checkpoint_every=0)  # all is compiled, here and so in each child
solve(resume=path + ".warm")
began = time.perf_counter()
expected = picture(solve())
alone = time.perf_counter() - began
chance, killed, resumed, finished = random.Random(seed), 0, 0, 0
while killed < kills or not finished:
    started = os.path.exists(path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, picture(solve(checkpoint=path, checkpoint_every=0, resume=True)))
        os._exit(0)
    os.close(writer)
    if killed < kills:
        time.sleep(chance.uniform(0, 0.3 * alone + 0.1))
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader, "rb") as file:
        got = file.read()
    _, status = os.waitpid(child, 0)
    resumed += started
    if status:
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        killed += 1
    if got:
        assert got == expected, (pickle.loads(got), pickle.loads(expected))
        finished += 1
        if killed < kills:
            os.unlink(path)
solve(checkpoint=path, resume=True)  # the last one may have been killed: who comes next tidies up
left = [name for name in os.listdir(os.path.dirname(path)) if name.startswith(".")]
assert not left, left
print(killed, resumed, finished)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("kind", ["plain full", "compiled full", "plain batches", "compiled batches"])
def test_killed_and_taken_up(tmp_path, kind):
    seed = os.environ.get("KILL_SEED", "1")
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, kind, str(tmp_path / "run"), str(KILLS), seed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    killed, resumed, finished = map(int, done.stdout.split())
    assert killed == KILLS and resumed >= 1 and finished >= 1
