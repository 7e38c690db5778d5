"""Many small problems side by side in one thread: SIMD lanes, all at the same step, each of which ends by itself.

The coordinates of `W` problems lie side by side: a group. One call of the objective evaluates a group (see
`numbaopt.backends.simd`), and an element-wise rule steps all groups at once, as if they were one long x. A problem that
has ended leaves its lane; when as many lanes as a group has are empty, the last problems move up. What cannot be done
in lanes (an exception, a start or a value that is not finite) is done again alone, and so comes out as it does alone.

Every lane has a record like that of a run alone, and the stopping test is `numbaopt.drivers.stopping.check`. The four
functions that it calls are written here once more, for lanes.
"""

from numbaopt.drivers.beginning import prepare_problem
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BEST,
    BEST_G,
    BEST_X,
    GO_ON,
    LOWER,
    MAXFEV,
    MAXITER,
    MOST_NFEV,
    MOST_NIT,
    NFEV,
    NIT,
    SIZE,
    G,
    X,
    check,
    projected,
)
from numbaopt.drivers.termination import AT, END, finish, finite

# Names that `numbaopt.many.simd` puts into the text: W, the lanes of a group, and N, the coordinates of a problem, as
# constants; `view`, `readonly`, `any_` and `select`; `begin`, `hold`, `shift` and `evaluate`, which are written for the
# problem at hand. `numbaopt.many.simd.Pool` describes a pool.
ALIVE, GROUPS, STEP, OVER = range(4)  # entries of its state: problems alive, groups in use, the step, how many to redo


def largest_entry(g):
    """Return the largest absolute value in each lane; NaN if one is NaN."""
    norm = abs(g[0])
    for i in range(1, N):
        size = abs(g[i])
        norm = select((size > norm) | (size != size), size, norm)
    return norm


def largest_projected(x, g, box):
    """Return the largest absolute value in the projected gradient, whose bounds begin at ``at`` in the rows of box."""
    lower, upper = view(box, at, N), view(box, box.shape[1] + at, N)
    norm = abs(g[0]) * 0.0
    for i in range(N):
        p = projected(x[i], g[i], lower[i], upper[i])
        size = abs(p)
        norm = select((size > norm) | (size != size), size, norm)
    return norm


def keep_if(better, f, x, g, best, record):
    """Keep the points in the lanes where they are better, and their gradients."""
    record[BEST] = select(better, f, record[BEST])
    for i in range(N):
        best[0, i], best[1, i] = select(better, x[i], best[0, i]), select(better, g[i], best[1, i])


def load(starts, limits, numbers, template, data, pool, cursor):
    """Fill a pool with the next problems."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, again, state, held, block, record = pool
    count = min(ids.size, cursor[END] - cursor[AT])
    state[GROUPS], state[STEP], state[ALIVE] = (count + W - 1) // W, -1, 0
    for j in range(state[GROUPS] * W):
        b = cursor[AT] + min(j, count - 1)  # lanes that are left over repeat the last problem
        prepare_problem(b, starts, limits, block)
        for i in range(SIZE):
            record[i] = template[i]
        put(j, pool)
        hold(held, data, b, j)
        fine = finite(block[X])
        ids[j], alive[j] = b, 1 if j < count and fine else 0
        state[ALIVE] += alive[j]
        if j < count and not fine:
            again[state[OVER]] = b
            state[OVER] += 1
    for i in range(h.size):
        h[i] = numbers[0, i]
    begin(xs[: state[GROUPS] * N * W], s, h, box, box)
    cursor[AT] += count


def end(j, limit, pool, points, slopes, table):
    """Keep the result of a problem that has ended, and leave its lane."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, again, state, held, block, record = pool
    if alive[j] == 0 or (flags[j] == GO_ON and limit == GO_ON):
        return
    alive[j] = 0
    state[ALIVE] -= 1
    if flags[j] == BAD_FUN or flags[j] == BAD_JAC:
        again[state[OVER]] = ids[j]
        state[OVER] += 1
        return
    unload(j, pool)
    stop = limit if flags[j] == GO_ON else int(flags[j])
    finish(stop, ids[j], block, h, record, points, slopes, table)


def put(j, pool):
    """Copy the problem in the block and the record of a run alone to lane j; `unload` does the opposite."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, again, state, held, block, record = pool
    group, lane = j // W, j % W
    for i in range(SIZE):
        records[(group * SIZE + i) * W + lane] = record[i]
    for i in range(N):
        k, m = (group * N + i) * W + lane, (group * 2 * N + i) * W + lane
        xs[k], gs[k], bests[m], bests[m + N * W] = block[X, i], block[G, i], block[BEST_X, i], block[BEST_G, i]
        for r in range(box.shape[0]):
            box[r, k] = block[LOWER + r, i]


def unload(j, pool):
    """Copy the problem in lane j to the block and the record of a run alone."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, again, state, held, block, record = pool
    group, lane = j // W, j % W
    for i in range(SIZE):
        record[i] = records[(group * SIZE + i) * W + lane]
    record[NIT], record[NFEV] = state[STEP], state[STEP] + 1
    for i in range(N):
        k, m = (group * N + i) * W + lane, (group * 2 * N + i) * W + lane
        block[X, i], block[G, i], block[BEST_X, i], block[BEST_G, i] = xs[k], gs[k], bests[m], bests[m + N * W]


def close_up(pool):
    """Let the last problems move up into empty lanes, where that saves a group."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, again, state, held, block, record = pool
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
            xs[k], gs[k] = xs[m], gs[m]
            for r in range(box.shape[0]):
                box[r, k] = box[r, m]
            for r in range(s.shape[0]):
                s[r, k] = s[r, m]
        for i in range(2 * N):
            bests[((j // W) * 2 * N + i) * W + j % W] = bests[((last // W) * 2 * N + i) * W + last % W]
        for i in range(SIZE):
            records[((j // W) * SIZE + i) * W + j % W] = records[((last // W) * SIZE + i) * W + last % W]
        shift(held, j, last)
        ids[j], alive[j], alive[last] = ids[last], 1, 0
    state[GROUPS] = groups


def run_simd(starts, limits, numbers, template, data, args, pool, points, slopes, table, cursor, budget):
    """Solve problems side by side, as many evaluations as the budget says; return what is left of that."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, again, state, held, block, record = pool
    while budget > 0 and state[OVER] == 0 and (state[ALIVE] > 0 or cursor[AT] < cursor[END]):
        if state[ALIVE] == 0:
            load(starts, limits, numbers, template, data, pool, cursor)
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
            point, grad, value = readonly(view(xs, at, N)), view(gs, at, N), view(fs, first, 1)
            evaluate(point, grad, value, held, args, a)
            best, lanes = view(bests, 2 * at, (2, N)), view(records, first * SIZE, SIZE)
            f = value[0]
            stop = check(f, point, grad, best, box, lanes)
            view(flags, first, 1)[0] = stop
            if any_((view(alive, first, 1)[0] > 0.0) & (stop != GO_ON)):
                ended = True
        budget -= state[GROUPS] * W
        if ended:
            for j in range(state[GROUPS] * W):
                end(j, limit, pool, points, slopes, table)
            close_up(pool)
    return budget
