"""Lists and SciPy's curve_fit on them, from the start of protocol `liqe`, for test/fixtures/mapping/curve_fit.json.

    pip install numpy scipy
    python scripts/reference/curve_fit.py > test/fixtures/mapping/curve_fit.json
    python scripts/reference/curve_fit.py --lists 1000 --sizes 6,8,12,20,40,100,125,200,500,1000,2000,5000 > all.json
    npm run build && node bench/curveFit.mjs all.json

Lists by turns: monotone, exponential, a step, noise, inverted, ties. `squaredError` and `plcc` are null where curve_fit
does not converge, or ends outside float64.
"""

import argparse
import json
import sys
import warnings

import numpy as np
from scipy import optimize, stats

warnings.simplefilter("ignore")


def logistic4(x, b1, b2, b3, b4):
    return (b1 - b2) / (1 + np.exp(-(x - b3) / np.abs(b4))) + b2


def make(kind, n, rng):
    x = rng.uniform(1, 5, n)
    if kind == "monotone":
        y = 100 / (1 + np.exp(-(x - 3) / rng.uniform(0.3, 2))) + rng.normal(0, rng.uniform(0, 15), n)
    elif kind == "exponential":
        sign = rng.choice([-1, 1])
        growth = sign * np.exp(sign * (x - 3) * rng.uniform(0.3, 4))
        y = growth * rng.uniform(1, 50) + rng.normal(0, rng.uniform(0, 5), n)
    elif kind == "step":
        y = np.where(x > rng.uniform(1.5, 4.5), 80.0, 20.0) + rng.normal(0, rng.uniform(0, 10), n)
    elif kind == "noise":
        y = rng.normal(50, 20, n) + rng.uniform(0, 5) * x
    elif kind == "inverted":
        y = 100 - 20 * x + rng.normal(0, rng.uniform(0, 20), n)
    else:
        x = np.round(x * 2) / 2
        y = np.round((20 * x + rng.normal(0, 20, n)) / 10) * 10
    return np.round(x, 4), np.round(y, 3)


def fit(x, y):
    start = [y.max(), y.min(), x.mean(), x.std()]
    try:
        found, _ = optimize.curve_fit(logistic4, x, y, p0=start, maxfev=10_000)
    except RuntimeError:
        return {"squaredError": None, "plcc": None}
    curve = logistic4(x, *found)
    error = float(((y - curve) ** 2).sum())
    plcc = float(stats.pearsonr(curve, y)[0]) if curve.std() > 0 else float("nan")
    finite = np.isfinite(error) and np.isfinite(plcc)
    return {"squaredError": error, "plcc": plcc} if finite else {"squaredError": None, "plcc": None}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lists", type=int, default=72)
    parser.add_argument("--sizes", default="6,8,12,20,40,100")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    kinds = ["monotone", "exponential", "step", "noise", "inverted", "ties"]
    rng = np.random.default_rng(18)
    lists = []
    turn = 0
    while len(lists) < options.lists:
        kind, n = kinds[turn % len(kinds)], sizes[turn // len(kinds) % len(sizes)]
        turn += 1
        x, y = make(kind, n, rng)
        if x.std() > 0 and y.std() > 0:
            lists.append({"kind": kind, "predicted": x.tolist(), "mos": y.tolist(), **fit(x, y)})
    sys.stdout.write("[\n" + ",\n".join(json.dumps(one) for one in lists) + "\n]\n")


main()
