"""Define a new method as a single function, and print the code to which it is compiled.

`cautious` is Adam with one modification (Liang et al. 2024, arXiv:2411.16085): a coordinate moves only if its momentum
and its gradient have the same sign.

Run: python examples/a_rule_of_your_own.py
"""

from numbaopt import adam, minimize, problems
from numbaopt.rule import rule, sqrt, where


@rule
def cautious(x, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """Adam that does not move coordinates whose momentum points uphill."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    u = m / (1 - b1**t) / (sqrt(v / (1 - b2**t)) + eps)
    return x - lr * where(m * g > 0, u, 0.0), m, v


def main():
    """Print the compiled step, and compare the new rule with Adam; return the number of steps of both."""
    print(cautious.source())
    print(f"{'steps to a gradient of 1e-5':30} adam  cautious")
    steps = {}
    for name in ("rosenbrock", "beale", "booth", "himmelblau"):
        problem = problems.get(name)
        runs = [
            minimize(problem.fun, problem.x0, args=problem.args, jac="inplace", method=method)
            for method in (adam(lr=0.05), cautious(lr=0.05))
        ]
        steps[name] = [run.nit if run.success else None for run in runs]
        print(f"{name:30} {steps[name][0]:4}  {steps[name][1]:8}")
    return steps


if __name__ == "__main__":
    main()
