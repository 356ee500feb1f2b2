"""Reference values of src/evaluate with SciPy, for test/fixtures/statistics/statistics.json.

    pip install numpy scipy
    python scripts/reference/statistics.py > test/fixtures/statistics/statistics.json

Each case is a pair of lists, predictions and MOS. Large ones are given by a formula that the test repeats in float64:
    u(i) = frac(i * 0.6180339887498949), v(i) = frac(i * 0.7548776662466927), i from 1
    predicted = 1 + 4 u,   mos = 100 / (1 + exp(-6 (u - 0.5))) + 20 (v - 0.5)

Protocol `liqe` is fitted by curve_fit as the LIQE release calls it, and then brought from there to the minimum itself by
least_squares over center and width alone (the other parameters are linear): at its default tolerances the release's
call stops up to 1e-6 of PLCC away from the minimum. `released` is the PLCC of that call as it stands. The others take
the best end of 45 starts (6 for the large cases), and of the polynomial that a sigmoid becomes at infinite width.

The linear parameters are projected out in extended precision, and the search is over the logarithm of the width: with
float64, or widths of either sign, a curve that is almost its limit is a difference of equal numbers, and least_squares
then fits the points with rounding errors, to a "minimum" that no curve has.
"""

import json
import sys
import warnings

import numpy as np
import scipy
from scipy import optimize, stats

warnings.simplefilter("ignore")


def logistic4(x, b1, b2, b3, b4):
    return (b1 - b2) / (1 + np.exp(-(x - b3) / np.abs(b4))) + b2


def project(protocol, x, y, center, width):
    """What the best curve with this center and width leaves of y, and its derivatives by center and log width."""
    x, y, center, width = (np.asarray(v, np.longdouble) for v in (x, y, center, width))
    # 1 - s is a sigmoid too: of the two the one that is small over most points, which keeps its digits.
    sign = 1 if center >= 0 else -1
    z = sign * (x - center) / width
    s = 1 / (1 + np.exp(-z))
    basis = [np.ones_like(x)] + ([x - x.mean()] if protocol == "logistic5" else [])

    def without(v, columns):
        for _ in range(2):
            for column in columns:
                size = column @ column
                v = v - column * ((v @ column) / size) if size > 0 else v
        return v

    shape = without(s, basis)
    columns = [*basis, shape]
    size = shape @ shape
    left = without(y, basis)
    height = (left @ shape) / size if size > 0 else np.longdouble(0)
    steepness = s * (1 - s)
    by = [-sign * steepness / width, -steepness * z]
    return without(left, [shape]), -height * np.stack([without(without(v, columns), columns) for v in by], axis=1)


def polish(protocol, x, y, center, width):
    narrowest, widest = 1e-4, 3e3  # beyond, extended precision has too few digits left
    found = optimize.least_squares(
        lambda p: project(protocol, x, y, p[0], np.exp(p[1]))[0].astype(float),
        [center, np.log(np.clip(width, 2 * narrowest, widest / 2))],
        jac=lambda p: np.nan_to_num(project(protocol, x, y, p[0], np.exp(p[1]))[1].astype(float)),
        bounds=([-np.inf, np.log(narrowest)], [np.inf, np.log(widest)]),
        method="trf",
        x_scale="jac",
        ftol=1e-15,
        xtol=1e-15,
        gtol=1e-15,
        max_nfev=200,
    )
    return found.cost, y - found.fun


def infinitely_wide(protocol, x, y):
    fitted = np.polynomial.Polynomial.fit(x, y, 3 if protocol == "logistic5" else 1)(x)
    return np.sum((y - fitted) ** 2) / 2, fitted


def fit(protocol, x, y):
    if len(x) <= (5 if protocol == "logistic5" else 4):
        return None
    xs, ys = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    released = None
    ends = []
    if protocol == "liqe":
        found, _ = optimize.curve_fit(logistic4, x, y, p0=[y.max(), y.min(), x.mean(), x.std()], maxfev=20_000)
        released = stats.pearsonr(y, logistic4(x, *found))[0]
        starts = [((found[2] - x.mean()) / x.std(), abs(found[3]) / x.std())]
    else:
        centers, widths = (9, 5) if len(x) <= 100 else (3, 2)
        starts = [
            (c, w)
            for c in np.linspace(xs.min() - 0.5, xs.max() + 0.5, centers)
            for w in np.geomspace(0.05, 4, widths)
        ]
        ends = [infinitely_wide(protocol, xs, ys)]
    ends += [polish(protocol, xs, ys, *start) for start in starts]
    fitted = y.mean() + y.std() * min(ends, key=lambda end: end[0])[1]
    result = {"plcc": number(stats.pearsonr(y, fitted)[0]), "rmse": number(np.sqrt(np.mean((fitted - y) ** 2)))}
    if released is not None:
        result["released"] = number(released)
    result["fitted"] = [number(v) for v in (fitted if len(x) <= 60 else fitted[:: len(x) // 20])]
    return result


def number(value):
    return float(value) if np.isfinite(value) else None


def formula(n):
    i = np.arange(1, n + 1, dtype=np.float64)
    u, v = i * 0.6180339887498949 % 1, i * 0.7548776662466927 % 1
    return 1 + 4 * u, 100 / (1 + np.exp(-6 * (u - 0.5))) + 20 * (v - 0.5)


def cases():
    rng = np.random.default_rng(20200626)

    def sigmoidal(n, noise, low=0.0, high=100.0, center=3.0, width=0.6):
        x = rng.uniform(1, 5, n)
        return x, logistic4(x, high, low, center, width) + rng.normal(0, noise, n)

    yield "two images", np.array([1.5, 3.0]), np.array([20.0, 40.0])
    yield "two images, falling", np.array([1.5, 3.0]), np.array([40.0, 20.0])
    yield "two images, tied predictions", np.array([2.0, 2.0]), np.array([40.0, 20.0])
    yield "three images", np.array([1.0, 4.0, 2.0]), np.array([10.0, 30.0, 40.0])
    yield "four images", np.array([1.0, 2.0, 4.0, 3.0]), np.array([12.0, 30.0, 70.0, 65.0])
    yield "constant predictions", np.full(12, 3.3), rng.uniform(0, 1, 12)
    yield "constant mos", rng.uniform(1, 5, 12), np.full(12, 50.0)
    yield "six images", *sigmoidal(6, 4)
    yield "a tie in each", np.array([1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 4.5]), np.array([3.0, 5.0, 6.0, 6.0, 9.0, 12.0, 10.0])
    yield "20 images", *sigmoidal(20, 5)
    yield "50 images, little noise", *sigmoidal(50, 0.5)
    yield "50 images, much noise", *sigmoidal(50, 30)
    yield "mos from 0 to 1", *sigmoidal(40, 0.08, 0, 1)
    yield "mos from 1 to 5", *sigmoidal(40, 0.3, 1, 5, 2.5, 0.9)
    yield "mos far from zero", *sigmoidal(40, 5, 1e6, 1e6 + 100)
    x, y = sigmoidal(60, 6)
    yield "predictions rounded to halves", np.round(x * 2) / 2, y
    x, y = sigmoidal(60, 6)
    yield "both rounded", np.round(x * 2) / 2, np.round(y / 10) * 10
    x, y = sigmoidal(60, 6)
    yield "mos of two values", x, (y > 50).astype(float) + 0.05 * rng.integers(0, 2, 60)
    x, y = sigmoidal(40, 4)
    x = x.copy()
    x[7] = 40.0
    yield "an outlier in the predictions", x, y
    x, y = sigmoidal(40, 4)
    y = y.copy()
    y[3], y[9] = 900.0, -500.0
    yield "two outliers in mos", x, y
    x, y = sigmoidal(40, 4)
    yield "falling", -x, y
    x = rng.uniform(1, 5, 45)
    yield "linear with noise", x, 20 * x + rng.normal(0, 8, 45)
    x = rng.uniform(1, 5, 45)
    yield "curved upwards only", x, np.exp(x) + rng.normal(0, 5, 45)
    x = rng.uniform(1, 5, 45)
    yield "flattening only", x, 30 * np.log(x) + rng.normal(0, 3, 45)
    x = rng.uniform(1, 5, 60)
    yield "a narrow step", x, logistic4(x, 80, 10, 3.1, 0.12) + rng.normal(0, 4, 60)
    x = np.concatenate([rng.normal(1.6, 0.15, 30), rng.normal(4.2, 0.2, 30)])
    yield "two clusters", x, np.concatenate([rng.normal(20, 6, 30), rng.normal(75, 7, 30)])
    yield "tiny spread of predictions", *(lambda x, y: (3 + (x - 3) * 1e-6, y))(*sigmoidal(40, 6))
    yield "skewed predictions", *(lambda x, y: (1 + (x - 1) ** 3 / 16, y))(*sigmoidal(60, 7))
    yield "no relation", rng.uniform(1, 5, 60), rng.uniform(0, 100, 60)
    yield "formula 2000", *formula(2000)
    yield "formula 20000", *formula(20000)


def reference(name, x, y):
    tied = len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0
    entry = {"name": name}
    if name.startswith("formula"):
        entry["formula"] = len(x)
    else:
        entry["predicted"], entry["mos"] = x.tolist(), y.tolist()
    entry["srcc"] = None if tied else number(stats.spearmanr(x, y)[0])
    entry["krcc"] = None if tied else number(stats.kendalltau(x, y)[0])
    entry["pearson"] = None if tied else number(stats.pearsonr(x, y)[0])
    entry["rmse"] = number(np.sqrt(np.mean((x - y) ** 2)))
    entry["mae"] = number(np.mean(np.abs(x - y)))
    for protocol in ("liqe", "vqeg4", "logistic5"):
        entry[protocol] = None if tied else fit(protocol, x, y)
    return entry


json.dump(
    {
        "madeBy": "scripts/reference/statistics.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__},
        "cases": [reference(*case) for case in cases()],
    },
    sys.stdout,
    indent=1,
)
print()
