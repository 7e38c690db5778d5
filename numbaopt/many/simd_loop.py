"""The loop that solves many small problems in the SIMD lanes of one thread, all at the same step.

The coordinates of `W` problems form a group, in which they are interleaved. One call of the objective evaluates a group
(see `numbaopt.backends.simd`), and an element-wise rule steps all groups at once, as if they were one long x. Each
problem stops by itself and then leaves its lane empty. When there are as many empty lanes as a group has, the last
problems are moved into them. A problem that cannot be solved in lanes, because of an exception, or of a start or a
value that is not finite, is solved again separately, so its result is the same as that of a separate run.

Every lane has a record like that of a separate run, and the stopping test is `numbaopt.drivers.stopping.check`. The
functions that it calls have versions for lanes here, except `select`, which is in `numbaopt.backends.simd`.
"""

from numbaopt.drivers.beginning import all_fixed, prepare_problem
from numbaopt.drivers.stopping import (
    BAD_FUN,
    BAD_JAC,
    BEST,
    BEST_G,
    BEST_X,
    END_OF_LIMITS,
    GO_ON,
    GTOL,
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

# Names that `numbaopt.many.simd` adds to the text: the constants W, the lanes of a group, and N, the coordinates of a
# problem; `view`, `readonly`, `any_` and `select`; and functions that are generated for the method and the objective:
# `begin`, `store_data`, `move_data` and `evaluate`. `numbaopt.many.simd.Pool` documents the parameter ``pool``.
ALIVE, GROUPS, STEP, REDO = range(4)  # entries of its state: unfinished problems, groups, the step, problems to redo


def largest_entry(g):
    """Return the largest absolute value in each lane; NaN if an entry is NaN."""
    norm = abs(g[0])
    for i in range(1, N):
        size = abs(g[i])
        norm = select((size > norm) | (size != size), size, norm)
    return norm


def largest_projected(x, g, box):
    """Return the largest absolute value in the projected gradient; ``at``, an offset in box, belongs to the caller."""
    lower, upper = view(box, at, N), view(box, box.shape[1] + at, N)
    norm = abs(g[0]) * 0.0
    for i in range(N):
        p = projected(x[i], g[i], lower[i], upper[i])
        size = abs(p)
        norm = select((size > norm) | (size != size), size, norm)
    return norm


def keep_if(better, f, x, g, best, record):
    """Store the points, and their gradients, in the lanes in which they are better."""
    record[BEST] = select(better, f, record[BEST])
    for i in range(N):
        best[0, i], best[1, i] = select(better, x[i], best[0, i]), select(better, g[i], best[1, i])


def load(starts, limits, numbers, template, data, pool, cursor):
    """Fill a pool with the next problems."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, redo, state, held, block, record = pool
    count = min(ids.size, cursor[END] - cursor[AT])
    state[GROUPS], state[STEP], state[ALIVE] = (count + W - 1) // W, -1, 0
    for a in range(state[GROUPS]):  # the record of each lane, a vector at a time
        for i in range(SIZE):
            for lane in range(W):
                records[(a * SIZE + i) * W + lane] = template[i]
    for j in range(state[GROUPS] * W):
        b = cursor[AT] + min(j, count - 1)  # unused lanes repeat the last problem
        prepare_problem(b, starts, limits, block)
        put(j, pool)
        if all_fixed(block[LOWER:]):  # as `prepare_record` has it
            records[((j // W) * SIZE + GTOL) * W + j % W] = max(template[GTOL], 0.0)
        store_data(held, data, b, j)
        is_finite = finite(block[X])
        ids[j], alive[j] = b, 1 if j < count and is_finite else 0
        state[ALIVE] += alive[j]
        if j < count and not is_finite:
            redo[state[REDO]] = b
            state[REDO] += 1
    for i in range(h.size):
        h[i] = numbers[0, i]
    begin(xs[: state[GROUPS] * N * W], s, h, box, box)
    cursor[AT] += count


def end(j, limit, pool, points, slopes, table):
    """Store the result of the problem in lane j and leave the lane, if the problem has stopped."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, redo, state, held, block, record = pool
    if alive[j] == 0 or (flags[j] == GO_ON and limit == GO_ON):
        return
    alive[j] = 0
    state[ALIVE] -= 1
    if flags[j] == BAD_FUN or flags[j] == BAD_JAC:
        redo[state[REDO]] = ids[j]
        state[REDO] += 1
        return
    unload(j, pool)
    stop = limit if flags[j] == GO_ON else int(flags[j])
    finish(stop, ids[j], block, h, record, points, slopes, table)


def put(j, pool):
    """Copy a problem from ``block``, in the layout of a separate run, to lane j."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, redo, state, held, block, record = pool
    group, lane = j // W, j % W
    for i in range(N):
        k, m = (group * N + i) * W + lane, (group * 2 * N + i) * W + lane
        xs[k], gs[k], bests[m], bests[m + N * W] = block[X, i], block[G, i], block[BEST_X, i], block[BEST_G, i]
        for r in range(box.shape[0]):
            box[r, k] = block[LOWER + r, i]


def unload(j, pool):
    """Copy the problem in lane j to ``block`` and ``record``, in the layout of a separate run."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, redo, state, held, block, record = pool
    group, lane = j // W, j % W
    for i in range(END_OF_LIMITS, SIZE):  # the limits are those of all problems
        record[i] = records[(group * SIZE + i) * W + lane]
    record[NIT], record[NFEV] = state[STEP], state[STEP] + 1
    for i in range(N):
        k, m = (group * N + i) * W + lane, (group * 2 * N + i) * W + lane
        block[X, i], block[G, i], block[BEST_X, i], block[BEST_G, i] = xs[k], gs[k], bests[m], bests[m + N * W]


def close_up(pool):
    """Move the last problems into empty lanes, if that saves a group."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, redo, state, held, block, record = pool
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
        target, source = (j // W) * N * W + j % W, (last // W) * N * W + last % W
        for i in range(N):
            k, m = target + i * W, source + i * W
            xs[k], gs[k] = xs[m], gs[m]
            for r in range(box.shape[0]):
                box[r, k] = box[r, m]
            for r in range(s.shape[0]):
                s[r, k] = s[r, m]
        for i in range(2 * N):
            bests[((j // W) * 2 * N + i) * W + j % W] = bests[((last // W) * 2 * N + i) * W + last % W]
        for i in range(SIZE):
            records[((j // W) * SIZE + i) * W + j % W] = records[((last // W) * SIZE + i) * W + last % W]
        move_data(held, j, last)
        ids[j], alive[j], alive[last] = ids[last], 1, 0
    state[GROUPS] = groups


def run_simd(starts, limits, numbers, template, data, args, pool, points, slopes, table, cursor, budget):
    """Solve problems in lanes until ``budget`` evaluations have been made; return the rest of the budget."""
    xs, gs, bests, records, box, s, h, fs, flags, alive, ids, redo, state, held, block, record = pool
    while budget > 0 and state[REDO] == 0 and (state[ALIVE] > 0 or cursor[AT] < cursor[END]):
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
            # The pool is not passed to a function here, because that would change the reference counts of its arrays.
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
