"""Plots show the numbers of the results, which are read back from the axes."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.optimize

import numbaopt
from numbaopt import Result, minimize, plot, problems
from numbaopt.results.history import History


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def run(fun=(9.0, 4.0, 1e-3), success=True, **arrays):
    k = np.arange(len(fun))
    history = {"nit": k, "fun": np.array(fun), "norm": 2.0 + k, "lr": 0.1 + 0 * k, "seconds": 1e-4 * k} | arrays
    return Result(success=success, fun=np.nanmin(fun), x=np.zeros(2), history=history)


def curves(ax):
    """Return x and y of each curve, without the markers at the ends."""
    return [line.get_xydata().T for line in ax.lines if len(line.get_xdata()) > 1]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_convergence():
    ax = plot.convergence(run())
    ((u, v),) = curves(ax)
    assert u.tolist() == [0, 1, 2] and v.tolist() == [9, 4, 1e-3]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("iteration", "f", "log")
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    "results", [[run(), run()], (run(), run()), {"a": run(), 1: run()}], ids=lambda r: type(r).__name__
)
def test_several_results(results):
    ax = plot.convergence(results)
    assert legend(ax) == (["a", "1"] if isinstance(results, dict) else ["0", "1"])
    assert len({line.get_color() for line in ax.lines if line.get_label()[0] != "_"}) == 2


def test_existing_axes_are_used():
    figure, (left, right) = plt.subplots(1, 2)
    assert plot.convergence(run(), right) is right and not left.lines
    assert plot.parameters(Result(x=np.ones(3)), left) is left
    assert plt.get_fignums() == [figure.number]


def test_the_figure_is_not_shown(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_: pytest.fail("it was shown"))
    plot.convergence(run())


def test_time_has_a_unit():
    for factor, unit, shown in ((1, "µs", 200.0), (100, "ms", 20.0), (1e5, "s", 20.0)):
        result = run(seconds=factor * np.array([0, 1e-4, 2e-4]))
        ax = plot.convergence(result, x="seconds", y="norm")
        assert ax.get_xlabel() == f"time ({unit})" and curves(ax)[0][0][-1] == pytest.approx(shown)
        assert ax.get_yscale() == "linear"  # from 2 to 4


def test_nonpositive_values_are_drawn_relative_to_the_lowest():
    ax = plot.convergence({"a": run((5.0, -1.0, -2.5)), "b": run((5.0, -2.0, -3.0))})
    assert [v.tolist() for _, v in curves(ax)][0] == [8, 2, 0.5]
    assert curves(ax)[1][1][:2].tolist() == [8, 1] and np.isnan(curves(ax)[1][1][2])
    assert (ax.get_ylabel(), ax.get_yscale()) == ("f − lowest f found", "log")


def test_a_known_minimum():
    ax = plot.convergence(run((9.0, 4.0, 3.5, 3.0, 3.0 + 4e-16)), minimum=3.0)
    v = curves(ax)[0][1]
    assert v[:3].tolist() == [6, 1, 0.5] and np.isnan(v[3:]).all() and ax.get_ylabel() == "f − minimum"


def test_nonfinite_values_are_gaps():
    ax = plot.convergence(run((9.0, np.inf, np.nan, 1e-3)))
    assert np.isnan(curves(ax)[0][1]).tolist() == [False, True, True, False]
    plot.convergence(run((1.0, np.nan))).figure.canvas.draw()


def test_failed_runs_end_with_a_hollow_dot():
    for success, fill in ((True, plot.convergence(run()).lines[0].get_color()), (False, "white")):
        assert plot.convergence(run(success=success)).lines[-1].get_markerfacecolor() == fill


def test_short_runs_are_visible_beside_long_ones():
    slow = run(tuple(np.geomspace(1, 1e-9, 500)))
    ax = plot.convergence([run(), slow])
    assert ax.get_xscale() == "symlog" and ax.get_xlim()[0] == 0
    assert plot.convergence([slow, slow]).get_xscale() == "linear"


def test_more_curves_than_colors():
    ax = plot.convergence([run() for _ in range(20)])
    looks = [(line.get_color(), line.get_linestyle()) for line in ax.lines if line.get_label()[0] != "_"]
    assert len(set(looks)) == 20


@pytest.mark.parametrize(
    "results, keywords, error, text",
    [
        (Result(fun=1.0), {}, ValueError, r"the result has no history to draw: .*options=\{'history': True\}"),
        ({"a": run(), "b": Result(fun=1.0)}, {}, ValueError, "the result 'b' has no history"),
        (run(), {"y": "f"}, ValueError, "the history of the result has no 'f', only nit, fun, norm, lr, seconds"),
        (Result(fun=1.0, history={"nit": [], "fun": []}), {}, ValueError, "is empty"),
        ([], {}, ValueError, "pass at least one Result"),
        ([3], {}, TypeError, r"results\[0\] must be a Result, not 3"),
        (3, {}, TypeError, "results must be a Result, a list of Results or a dict"),
        (History(run().history), {}, TypeError, r"must contain the Result, not only its \.history"),
    ],
    ids=range(8),
)
def test_results_that_cannot_be_drawn(results, keywords, error, text):
    with pytest.raises(error, match=text):
        plot.convergence(results, **keywords)
    assert not plt.get_fignums()


POINTS = np.array([[-1.2, 1.0], [-1.0, 1.1], [0.5, 0.2], [1.0, 1.0]])


def with_path(x=POINTS, fun=0.0, end=None):
    return Result(fun=fun, x=np.array(x[-1] if end is None else end), history={"x": x})


def test_path():
    problem = problems.get("rosenbrock")
    ax = plot.path(problem, {"a": with_path(), "b": with_path(POINTS[:2])})
    assert [c.T.tolist() for c in curves(ax)] == [POINTS.tolist(), POINTS[:2].tolist()]
    assert (ax.get_xlim(), ax.get_ylim()) == problem.domain and legend(ax) == ["a", "b"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x[0]", "x[1]")
    stars = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "*"]
    assert stars == [[[1, 1]]]
    contours = ax.collections[-1]
    (x0, x1), (y0, y1) = problem.domain
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, 161), np.linspace(y0, y1, 161)))
    heights = scipy.optimize.rosen(grid).ravel()
    for k, level in enumerate(contours.levels, 1):  # the share of the region below the level
        assert np.mean(heights <= level) == pytest.approx((k / 14) ** 2, abs=1e-4)


@pytest.mark.parametrize("form", ["value", "pair", "inplace", "dict"])
def test_paths_of_objectives(form):
    def bowl(x, grad=None):
        if form == "dict":
            x = np.append(x["width"], x["height"])
        f = (x[0] - 1) ** 2 + 4 * x[1] ** 2
        return (f, x) if form == "pair" else f

    jac = {"pair": True, "inplace": "inplace"}.get(form)
    result = with_path(end=[1.0, 0.0])
    if form == "dict":
        result.x = {"width": np.array([1.0]), "height": np.array(0.0)}
    ax = plot.path(bowl, result, jac=jac, bounds=[(-2, 2), (-1, 1)])
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 1))
    names = ("width[0]", "height") if form == "dict" else ("x[0]", "x[1]")
    assert (ax.get_xlabel(), ax.get_ylabel()) == names
    vertices = np.concatenate([part.vertices for part in ax.collections[-1].get_paths()[:3]])
    height = (vertices[:, 0] - 1) ** 2 + 4 * vertices[:, 1] ** 2
    assert min(abs(height[:, None] - ax.collections[-1].levels[:3]).min(1)) < 1e-3
    assert abs(height[:, None] - ax.collections[-1].levels[:3]).min(1).max() < 0.01


def test_a_path_without_bounds():
    ax = plot.path(lambda x: x @ x if x[0] < 1.1 else np.nan, with_path())
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < -1.2 and right > 1.0 and bottom < 0.2 and top > 1.1
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    "result, keywords, text",
    [
        (run(), {}, r"no 'x', only nit, fun, norm, lr, seconds: call minimize with options=\{'history': 'x'\}"),
        (Result(x=POINTS[0], fun=1.0), {}, r"options=\{'history': 'x'\}"),
        (Result(x=np.ones(3), fun=1.0, history={"x": np.ones((4, 3))}), {}, r"not \(4, 3\)"),
        (with_path(), {"bounds": [(0, None), (0, 1)]}, "bounds must be two pairs of finite numbers"),
        (with_path(), {"bounds": [(0, 1)] * 3}, "number of bounds"),
        (with_path(np.full((3, 2), np.nan)), {}, "no point of the paths is finite"),
    ],
    ids=range(6),
)
def test_paths_that_cannot_be_drawn(result, keywords, text):
    with pytest.raises(ValueError, match=text):
        plot.path(lambda x: x @ x, result, **keywords)


def test_a_path_of_an_objective_that_also_returns_its_gradient():
    with pytest.raises(TypeError, match="pass jac=True"):
        plot.path(lambda x: (x @ x, 2 * x), with_path())


def test_a_path_in_a_region_without_finite_values():
    with pytest.raises(ValueError, match="not finite anywhere in"):
        plot.path(lambda x: np.nan, with_path())


def points(ax):
    return np.concatenate([line.get_ydata() for line in ax.lines if line.get_marker() == "o"])


def test_parameters_of_one_array():
    x = np.arange(12.0).reshape(3, 4)
    ax = plot.parameters(Result(x=x))
    assert points(ax).tolist() == x.ravel().tolist() and ax.get_xlabel() == "entry of x"
    ax = plot.parameters(Result(x=np.arange(1000.0)))
    assert len(points(ax)) == 200 and ax.get_xlabel() == "entry of x, 200 of 1000"


def test_parameters_by_array():
    x = {"w": np.arange(6.0).reshape(2, 3), "b": 7.0, "big": [np.arange(1000.0)]}
    ax = plot.parameters(Result(x=x))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["w\n(2, 3)", "b", "big[0]\n(1000,)\n200 of 1000"]
    assert points(ax)[:7].tolist() == [0, 1, 2, 3, 4, 5, 7]
    many = plot.parameters(Result(x=[np.ones(2)] * 100)).get_xticklabels()
    assert len(many) <= 30 and many[1].get_text() == "x[4]"


def test_courses_of_parameters():
    course = np.random.default_rng(0).normal(size=(9, 3)).cumsum(0)
    history = {"nit": np.arange(9), "x": course}
    ax = plot.parameters(Result(x=course[-1], history=history))
    assert legend(ax) == ["x[0]", "x[1]", "x[2]"] and [v.tolist() for _, v in curves(ax)] == course.T.tolist()
    ax = plot.parameters(Result(x={"a": course[-1, :1].reshape(1, 1), "b": course[-1, 1:]}, history=history))
    assert legend(ax) == ["a[0, 0]", "b[0]", "b[1]"]
    forty = np.random.default_rng(0).normal(size=(9, 40)).cumsum(0)
    ax = plot.parameters(Result(x=forty[-1], history={"nit": np.arange(9), "x": forty}))
    assert [v.tolist() for _, v in curves(ax)] == forty.T.tolist() and len(ax.figure.axes) == 2  # with the color bar
    ax = plot.parameters(Result(x={"a": forty[-1, :39], "b": 1.0}, history={"nit": np.arange(9), "x": forty}))
    assert legend(ax) == ["a (median and 90 % of 39)", "b"]
    assert curves(ax)[0][1].tolist() == np.median(forty[:, :39], axis=1).tolist()


def test_complex_parameters_by_parts():
    z = np.array([1 + 2j, 3 - 4j])
    history = {"nit": np.arange(2), "x": np.stack([0 * z, z]).view(float)}
    parts = ["x[0].real", "x[0].imag", "x[1].real", "x[1].imag"]
    ax = plot.parameters(Result(x=z, history=history))
    assert legend(ax) == parts and [v[-1] for _, v in curves(ax)] == [1, 2, 3, -4]
    ax = plot.path(lambda w: abs(w[0] - 1) ** 2, Result(x=z[:1], fun=0.0, history={"x": history["x"][:, :2]}))
    assert [ax.get_xlabel(), ax.get_ylabel()] == parts[:2]
    real, imaginary = (line for line in plot.parameters(Result(x=z)).lines if line.get_marker() == "o")
    assert real.get_xydata().tolist() == [[0, 1], [1, 3]] and imaginary.get_xydata().tolist() == [[0, 2], [1, -4]]
    many = np.arange(8) + 1j
    ax = plot.parameters(Result(x=many, history={"nit": np.arange(2), "x": np.stack([many, many]).view(float)}))
    assert len(curves(ax)) == 16 and ax.figure.axes[1].get_ylim() == (0, 7)


def test_a_course_of_one_point_is_visible():
    ax = plot.parameters(Result(x=np.ones(2), history={"nit": np.zeros(1, int), "x": np.ones((1, 2))}))
    assert points(ax).tolist() == [1, 1]


def test_parameters_of_one_result():
    with pytest.raises(TypeError, match="draws a single Result"):
        plot.parameters([run()])


def test_plots_of_actual_runs():
    problem = problems.get("beale")
    settings = {"jac": "inplace", "options": {"history": "x", "maxiter": 200}}
    results = {name: minimize(problem.fun, problem.x0, method=name, **settings) for name in ("adam", "lbfgs")}
    assert legend(plot.convergence(results, x="seconds")) == legend(plot.path(problem, results)) == ["adam", "lbfgs"]
    walk = curves(plot.path(problem, results["lbfgs"]))[0]
    assert walk[:, 0].tolist() == problem.x0.tolist() and walk[:, -1] == pytest.approx([3, 0.5], abs=1e-4)
    assert len(curves(plot.parameters(results["lbfgs"]))) == 2


def test_without_matplotlib():
    code = """if True:
        import sys
        sys.modules["matplotlib"] = sys.modules["matplotlib.pyplot"] = None
        from numbaopt import Result, plot
        try:
            plot.parameters(Result(x=[1.0, 2.0]))
        except ImportError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'numbaopt.plot requires Matplotlib: pip install "numbaopt[plot]"'


def test_plot_is_an_attribute_of_the_package():
    assert numbaopt.plot is plot and "plot" in dir(numbaopt)
