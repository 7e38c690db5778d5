"""Many small problems side by side in one thread: lanes of a vector, all at the same step, each with an end of its own.

Coordinates of `W` problems lie side by side: a group. One call of the objective evaluates a group (see `lanes`), and a
rule that is element-wise steps all groups at once, as if they were one long x. A problem that has ended leaves its
lane; when a group's worth of lanes is empty, the last problems move up. What cannot be told here (an exception, a start
or a value that is not finite) is to be done over alone, and so comes out as it does alone.
"""

import numpy as np

from numbaopt.ending import AT, END, finish
from numbaopt.observe import (
    BEST,
    BEST_G,
    BEST_X,
    FTOL,
    FTOL_MET,
    GO_ON,
    GTOL,
    GTOL_MET,
    LATEST,
    MAXFEV,
    MAXITER,
    MOST_NFEV,
    MOST_NIT,
    NFEV,
    NIT,
    NORM,
    PREVIOUS,
    G,
    X,
    _bits,
    _real,
)

# Injected as constants: W, the lanes of a group, and N, the coordinates of a problem; and `begin`, `evaluate`, `hold`
# and `shift`, which are written for the problem at hand. What a pool is, `numbaopt.pooled.Pool` says.
ALIVE, GROUPS, STEP, OVER = range(4)  # entries of its state: problems alive, groups in use, the step, how many to do over
SMALL, STILL, STRANGE = 1, 2, 4  # flags: the gradient is small, the value changed little, something is not finite


def _load(starts, limits, numbers, data, pool, cursor):
    """Fill a pool with the next problems."""
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record, top = pool
    count = min(ids.size, cursor[END] - cursor[AT])
    state[GROUPS], state[STEP], state[ALIVE] = (count + W - 1) // W, -1, 0
    for j in range(state[GROUPS] * W):
        b = cursor[AT] + min(j, count - 1)  # lanes that are left over do what the last one does
        at, fine = (j // W) * N * W + j % W, 1 if j < count else 0
        for i in range(N):
            value, k = starts[b, i], at + i * W
            if box.shape[0] > 0:
                box[0, k] = limits[0, b if limits.shape[1] > 1 else 0, i]
                box[1, k] = limits[1, b if limits.shape[1] > 1 else 0, i]
                value = min(max(value, box[0, k]), box[1, k])
            xs[k] = bx[k] = value
            if not abs(value) < np.inf:
                fine = 0
        hold(held, data, b, j)
        best[j], before[j], ids[j], alive[j] = np.inf, np.nan, b, fine
        state[ALIVE] += fine
        if j < count and fine == 0:
            again[state[OVER]] = b
            state[OVER] += 1
    for i in range(h.size):
        h[i] = numbers[0, i]
    begin(xs[: state[GROUPS] * N * W], s, h, box, box)
    cursor[AT] += count


def _judge(a, template, pool):
    """Look at a group's evaluation as `observe` looks at one; tell whether any of its problems ends here."""
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record, top = pool
    at, first = a * N * W, a * W
    for lane in range(W):
        top[lane] = 0
    for i in range(N):
        for lane in range(W):
            b = _bits(abs(gs[at + i * W + lane]))
            top[lane] = b if b > top[lane] else top[lane]
    for lane in range(W):
        norms[first + lane] = np.float64(_real(top[lane]))
        finite = (abs(fs[first + lane]) < np.inf) & (norms[first + lane] < np.inf)
        flags[first + lane] = 0 if finite else STRANGE
    if box.shape[0] > 0:
        for lane in range(W):
            norms[first + lane] = 0.0
        for i in range(N):
            for lane in range(W):
                k = at + i * W + lane
                p = gs[k]
                p = max(p, xs[k] - box[1, k]) if p < 0 else min(p, xs[k] - box[0, k])
                norms[first + lane] = max(norms[first + lane], np.float64(abs(p)))
    ended = 0
    for lane in range(W):
        j = first + lane
        f, old = fs[j], before[j]
        better = (flags[j] == 0) & (f < best[j])
        best[j] = f if better else best[j]
        top[lane] = 1 if better else 0
        small = SMALL if norms[j] <= template[GTOL] else 0
        still = STILL if abs(f - old) <= template[FTOL] * max(abs(f), max(abs(old), 1.0)) else 0
        flags[j] |= small | still
        before[j] = f
        ended |= flags[j] & -alive[j]
    if template[LATEST] == 0.0:
        for i in range(N):
            for lane in range(W):
                k = at + i * W + lane
                bx[k] = xs[k] if top[lane] != 0 else bx[k]
                bg[k] = gs[k] if top[lane] != 0 else bg[k]
    return ended != 0


def _end(j, limit, template, pool, points, slopes, ends):
    """Let a problem go that has ended."""
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record, top = pool
    if alive[j] == 0 or (flags[j] == 0 and limit == GO_ON):
        return
    alive[j] = 0
    state[ALIVE] -= 1
    if flags[j] & STRANGE:
        again[state[OVER]] = ids[j]
        state[OVER] += 1
        return
    at, latest = (j // W) * N * W + j % W, template[LATEST] != 0.0
    for i in range(record.size):
        record[i] = template[i]
    record[BEST], record[PREVIOUS], record[NORM] = fs[j] if latest else best[j], fs[j], norms[j]
    record[NIT], record[NFEV] = state[STEP], state[STEP] + 1
    for i in range(N):
        k = at + i * W
        block[X, i], block[G, i] = xs[k], gs[k]
        block[BEST_X, i], block[BEST_G, i] = xs[k] if latest else bx[k], gs[k] if latest else bg[k]
    verdict = GTOL_MET if flags[j] & SMALL else FTOL_MET if flags[j] & STILL else limit
    finish(verdict, ids[j], block, h, record, points, slopes, ends)


def _close_up(pool):
    """Let the last problems move up into empty lanes, where that saves a group."""
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record, top = pool
    groups = (state[ALIVE] + W - 1) // W
    if groups == state[GROUPS]:
        return
    j, last = 0, state[GROUPS] * W - 1
    while True:
        while j < last and alive[j] != 0:
            j += 1
        while j < last and alive[last] == 0:
            last -= 1
        if j >= last:
            break
        to, of = (j // W) * N * W + j % W, (last // W) * N * W + last % W
        for i in range(N):
            k, l = to + i * W, of + i * W
            xs[k], gs[k], bx[k], bg[k] = xs[l], gs[l], bx[l], bg[l]
            for r in range(box.shape[0]):
                box[r, k] = box[r, l]
            for r in range(s.shape[0]):
                s[r, k] = s[r, l]
        shift(held, j, last)
        best[j], before[j], ids[j], alive[j], alive[last] = best[last], before[last], ids[last], 1, 0
    state[GROUPS] = groups


def _swim(starts, limits, numbers, template, data, args, pool, points, slopes, ends, cursor, budget):
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record, top = pool
    while budget > 0 and state[OVER] == 0 and (state[ALIVE] > 0 or cursor[AT] < cursor[END]):
        if state[ALIVE] == 0:
            _load(starts, limits, numbers, data, pool, cursor)
        x, g = xs[: state[GROUPS] * N * W], gs
        t = state[STEP] + 1
        if t > 0:
            step(t, x, g, s, h)
        state[STEP] = t
        ended, limit = False, GO_ON
        for a in range(state[GROUPS]):
            evaluate(xs, gs, fs, a, held, args)
            if _judge(a, template, pool):
                ended = True
        budget -= state[GROUPS] * W
        if t >= template[MOST_NIT] or t + 1 >= template[MOST_NFEV]:
            ended, limit = True, MAXITER if t >= template[MOST_NIT] else MAXFEV
        if ended:
            for j in range(state[GROUPS] * W):
                _end(j, limit, template, pool, points, slopes, ends)
            _close_up(pool)
    return budget
