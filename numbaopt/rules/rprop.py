"""Rprop: only signs count; a step grows while its coordinate's gradient keeps its sign, and shrinks when it turns."""

from numbaopt.rule import max, min, rule, sign, where


@rule
def rprop(x, g, prev, step: "lr", t, lr=1e-2, eta_minus=0.5, eta_plus=1.2, min_step_size=1e-6, max_step_size=50.0,
          maximize=False):  # fmt: skip
    """iRprop- (Igel & Huesken 2000; Riedmiller & Braun 1993): lr is the first step; no move where the sign turned.

    As in torch. optax 0.2.8 moves by the step before (its first update is zero), which is a bug.
    """
    if maximize:
        g = -g
    turn = g * prev
    step = where(turn > 0, eta_plus * step, where(turn < 0, eta_minus * step, step))
    step = min(max(step, min_step_size), max_step_size)
    g = where(turn < 0, 0.0, g)
    return x - sign(g) * step, g, step
