"""SMORMS3: RMSprop with an averaging window that adapts to the noise of the gradient."""

from numbaopt.rule import min, rule, sqrt


@rule
def smorms3(x, g, age, m, v, t, lr=1e-3, eps=1e-16):
    """SMORMS3 (Funk 2015, sifter.org/~simon/journal/20150420.html).

    The name stands for "squared mean over root mean square, cubed". The window adapts to the ratio before `lr` limits
    it, as in Funk's text and in Chainer; ensmallen limits the ratio first.
    """
    mem = 1 + age  # slots start at zero, but the window starts at one step
    r = 1 / (mem + 1)
    m = (1 - r) * m + r * g
    v = (1 - r) * v + r * g**2
    ratio = m**2 / (v + eps)
    age = mem * (1 - ratio)
    return x - g * min(ratio, lr) / (sqrt(v) + eps), age, m, v
