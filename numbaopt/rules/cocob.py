"""COCOB: a betting strategy for each coordinate that needs no learning rate."""

from numbaopt.rule import abs, max, rule


@rule
def cocob(x, g, x0: "x", theta, biggest: "eps", total, reward, t, lr=1.0, alpha=100.0, eps=1e-8, wd=0.0):
    """COCOB-Backprop (Orabona & Tommasi 2017, Algorithm 2, arXiv:1705.07795).

    `lr` scales the gradient, as in optax.
    """
    if wd:
        g = g + wd * x
    g = lr * g
    biggest = max(biggest, abs(g))
    total = total + abs(g)
    reward = max(reward - g * (x - x0), 0)
    theta = theta - g
    bet = theta / (biggest * max(total + biggest, alpha * biggest)) * (biggest + reward)
    return x0 + bet, x0, theta, biggest, total, reward
