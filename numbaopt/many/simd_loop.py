"""Many small problems side by side in one thread: lanes of a vector, all at the same step, each with an end of its own.

Coordinates of `W` problems lie side by side: a group. One call of the objective evaluates a group (see `lanes`), and a
rule that is element-wise steps all groups at once, as if they were one long x. A problem that has ended leaves its
lane; when a group's worth of lanes is empty, the last problems move up. What cannot be told here (an exception, a start
or a value that is not finite) is to be done over alone, and so comes out as it does alone.
"""

import numpy as np

from numbaopt.drivers.stopping import (
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
)
from numbaopt.drivers.termination import AT, END, finish

# Injected: W, the lanes of a group, and N, the coordinates of a problem, as constants; `begin`, `hold`, `shift` and the
# lines of `evaluate` are written for the problem at hand. What a pool is, `numbaopt.many.simd.Pool` says.
ALIVE, GROUPS, STEP, OVER = range(4)  # entries of its state: problems alive, groups in use, the step, how many to redo
SMALL, STILL, STRANGE = 1.0, 2.0, 3.0  # flags: the gradient is small, the value changed little, something is not finite


def _load(starts, limits, numbers, data, pool, cursor):
    """Fill a pool with the next problems."""
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record = pool
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
            gs[k] = np.nan  # what nobody writes tells; the problem before has left something else
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


def _end(j, limit, template, pool, points, slopes, ends):
    """Let a problem go that has ended."""
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record = pool
    if alive[j] == 0 or (flags[j] == 0.0 and limit == GO_ON):
        return
    alive[j] = 0
    state[ALIVE] -= 1
    if flags[j] == STRANGE:
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
    verdict = GTOL_MET if flags[j] == SMALL else FTOL_MET if flags[j] == STILL else limit
    finish(verdict, ids[j], block, h, record, points, slopes, ends)


def _close_up(pool):
    """Let the last problems move up into empty lanes, where that saves a group."""
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record = pool
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
            k, m = to + i * W, of + i * W
            xs[k], gs[k], bx[k], bg[k] = xs[m], gs[m], bx[m], bg[m]
            for r in range(box.shape[0]):
                box[r, k] = box[r, m]
            for r in range(s.shape[0]):
                s[r, k] = s[r, m]
        shift(held, j, last)
        best[j], before[j], ids[j], alive[j], alive[last] = best[last], before[last], ids[last], 1, 0
    state[GROUPS] = groups


def _swim(starts, limits, numbers, template, data, args, pool, points, slopes, ends, cursor, budget):
    xs, gs, bx, bg, box, s, h, fs, best, before, norms, flags, alive, ids, again, state, held, block, record = pool
    keeps, bounded = template[LATEST] == 0.0, box.shape[0] > 0
    while budget > 0 and state[OVER] == 0 and (state[ALIVE] > 0 or cursor[AT] < cursor[END]):
        if state[ALIVE] == 0:
            _load(starts, limits, numbers, data, pool, cursor)
        t = state[STEP] + 1
        if t > 0:
            x, g = xs[: state[GROUPS] * N * W], gs
            step(t, x, g, s, h)
        state[STEP] = t
        limit = MAXITER if t >= template[MOST_NIT] else MAXFEV if t + 1 >= template[MOST_NFEV] else GO_ON
        ended = limit != GO_ON
        for a in range(state[GROUPS]):
            # No function is called with the pool here: that would count the references of all its arrays.
            at, first = a * N * W, a * W
            point, grad, value = shown(view(xs, at, N)), view(gs, at, N), view(fs, first, 1)
            evaluate(a)
            # What `observe` does at one evaluation.
            f, old, high = value[0], view(before, first, 1), view(best, first, 1)
            finite, norm = abs(f) < np.inf, abs(grad[0])
            for i in range(N):
                size = abs(grad[i])
                finite, norm = finite & (size < np.inf), select(size > norm, size, norm)
            better = finite & (f < high[0])
            high[0] = select(better, f, high[0])
            if keeps:
                kept, slope = view(bx, at, N), view(bg, at, N)
                for i in range(N):
                    kept[i], slope[i] = select(better, point[i], kept[i]), select(better, grad[i], slope[i])
            if bounded:
                norm = abs(grad[0]) * 0.0
                lower, upper = view(box, at, N), view(box, box.shape[1] + at, N)
                for i in range(N):
                    down, up = point[i] - upper[i], point[i] - lower[i]
                    down, up = select(grad[i] > down, grad[i], down), select(grad[i] < up, grad[i], up)
                    size = abs(select(grad[i] < 0.0, down, up))
                    norm = select(size > norm, size, norm)
            scale = select(abs(old[0]) > 1.0, abs(old[0]), 1.0)
            scale = select(abs(f) > scale, abs(f), scale)
            small, still = norm <= template[GTOL], abs(f - old[0]) <= template[FTOL] * scale
            old[0] = f
            if limit != GO_ON or any_((view(alive, first, 1)[0] > 0.0) & (small | still | ~finite)):
                ended = True
                view(norms, first, 1)[0] = norm
                view(flags, first, 1)[0] = select(finite, select(small, SMALL, select(still, STILL, 0.0)), STRANGE)
        budget -= state[GROUPS] * W
        if ended:
            for j in range(state[GROUPS] * W):
                _end(j, limit, template, pool, points, slopes, ends)
            flags[:] = 0.0
            _close_up(pool)
    return budget
