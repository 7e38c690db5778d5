"""All examples run, and their results are as described."""

import importlib.util

import pytest

from tests.paths import ROOT

FOLDER = ROOT / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000


def test_quickstart(capsys):
    reached = load("quickstart").main()
    bounded = reached.pop("bounded")
    assert max(reached.values()) < 1e-6
    assert bounded == pytest.approx(0.5026, abs=1e-3)
    assert "success: True" in capsys.readouterr().out


def check_accuracy(example, folder):
    accuracy = example.main(folder)
    assert list(accuracy) == ["softmax regression", "two-layer network"]
    for ours, theirs in accuracy.values():
        assert ours >= theirs
    assert is_png(folder / "digits_minibatch.png")


@pytest.mark.slow
def test_digits(tmp_path, monkeypatch, capsys):
    example = load("digits_minibatch")
    monkeypatch.setattr(example, "FASHION", tmp_path / "not installed")
    check_accuracy(example, tmp_path)
    assert "1347 training images" in capsys.readouterr().out


def test_fashion(tmp_path):
    example = load("digits_minibatch")
    if not example.FASHION.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    check_accuracy(example, tmp_path)


@pytest.mark.parametrize("model", ["softmax", "network"])
def test_gradients_of_the_classifiers(model):
    example, np = load("digits_minibatch"), pytest.importorskip("numpy")
    loss, start = getattr(example, f"{model}_loss"), getattr(example, f"{model}_start")
    rng = np.random.default_rng(0)
    X, y = rng.random((20, 6)), rng.integers(0, 10, 20)
    p = {name: leaf + 0.1 * rng.standard_normal(leaf.shape) for name, leaf in start(6).items()}
    d = {name: rng.standard_normal(leaf.shape) for name, leaf in p.items()}
    g = loss(p, X, y, 0.01)[1]
    ahead, behind = (loss({k: p[k] + h * d[k] for k in p}, X, y, 0.01)[0] for h in (1e-6, -1e-6))
    assert (ahead - behind) / 2e-6 == pytest.approx(sum(np.sum(g[k] * d[k]) for k in p), rel=1e-6)


def test_trajectories(tmp_path):
    final = load("trajectories").main(tmp_path)
    assert final["Adam"] < final["momentum"] < final["gradient descent"] < final["RMSprop"]
    assert is_png(tmp_path / "trajectories.png")


@pytest.mark.slow
def test_choose_a_method(tmp_path, capsys):
    comparison = load("choose_a_method").main(tmp_path)
    assert not comparison.errors and len(comparison) == 7
    assert {"L-BFGS", "SciPy's BFGS", "Adam"} <= {label for label, result in comparison.items() if result.success}
    assert not comparison["gradient descent"].success
    assert "7 of 7 methods returned a result." in capsys.readouterr().out
    assert is_png(tmp_path / "choose_a_method.png")


def test_gradient_of_the_decay():
    example, np = load("choose_a_method"), pytest.importorskip("numpy")
    optimize = pytest.importorskip("scipy.optimize")
    counts, misfit, grad = np.arange(100.0), example.misfit.py_func, np.empty(6)
    p = example.TRUE + 0.1
    misfit(p, grad, example.TIME, counts)
    theirs = optimize.approx_fprime(p, lambda q: misfit(q, np.empty(6), example.TIME, counts), 1e-6)
    assert grad == pytest.approx(theirs, rel=1e-4)


def test_your_own_loop():
    full, mini, gap = load("your_own_loop").main()
    assert mini < full / 2
    assert gap < 1e-12


@pytest.mark.slow
def test_inside_njit():
    assert load("inside_njit").main(pixels=500) < 0.02


def test_a_rule_of_your_own(capsys):
    for adam, cautious in load("a_rule_of_your_own").main().values():
        assert cautious <= adam
    assert "def step(t, x, g, s, h):" in capsys.readouterr().out


@pytest.mark.slow
def test_gaussian_peaks(tmp_path, capsys):
    example, np = load("gaussian_peaks"), pytest.importorskip("numpy")
    u = np.linspace(-40, 40, 4001)
    assert max(abs(example.bell(v) - np.exp(-(v**2) / 2)) for v in u) < 1e-13
    printed = example.main(tmp_path, rows=50, sample=200)
    assert printed["good"] == 4000 - 2 and "not finite: 2" in capsys.readouterr().out
    assert printed["deviation"] < 1e-3
    assert np.all(abs(printed["pulls"].mean(axis=0)) < 5 / 4000**0.5)
    assert np.all(abs(printed["pulls"].std(axis=0) - 1) < 5 / 8000**0.5)
    assert is_png(tmp_path / "gaussian_peaks.png")
