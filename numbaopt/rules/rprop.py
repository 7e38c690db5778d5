"""Rprop: step sizes that grow while the sign of a gradient persists and shrink when it changes."""

from numbaopt.rule import max, min, rule, sign, where


@rule
def rprop(x, g, prev, step: "lr", t, lr=1e-2, eta_minus=0.5, eta_plus=1.2, min_step_size=1e-6, max_step_size=50.0,
          maximize=False):  # fmt: skip
    """iRprop- (Igel & Huesken 2000; Riedmiller & Braun 1993), as in PyTorch.

    `lr` is the initial step size. A coordinate does not move at a step where the sign of its gradient has changed.
    optax 0.2.8 moves by the previous step size, which is a bug: its first update is zero.
    """
    if maximize:
        g = -g
    turn = g * prev
    step = where(turn > 0, eta_plus * step, where(turn < 0, eta_minus * step, step))
    step = min(max(step, min_step_size), max_step_size)
    g = where(turn < 0, 0.0, g)
    return x - sign(g) * step, g, step
