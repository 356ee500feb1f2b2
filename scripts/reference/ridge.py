"""Reference values of the probe's ridge regression: scikit-learn, in float64.

    pip install numpy scikit-learn
    python -P scripts/reference/ridge.py > test/fixtures/train/ridge.json

Rows of unit length with a large common part, as image features have; with equal weights, and with those of two databases
of different sizes.
"""

import json
import platform

import numpy
import sklearn
from sklearn.linear_model import Ridge


def rounded(array):
    return [float(f"{value:.12g}") for value in numpy.asarray(array).ravel()]


def case(random, rows, width, alpha, weighted):
    features = random.normal(size=(rows, width)) + 2 * random.normal(size=width)
    features /= numpy.linalg.norm(features, axis=1, keepdims=True)
    features = numpy.asarray(rounded(features)).reshape(rows, width)
    targets = numpy.asarray(rounded(features @ random.normal(size=width) + 0.3 * random.normal(size=rows)))
    small = rows // 4
    weights = numpy.where(numpy.arange(rows) < small, rows / 2 / small, rows / 2 / (rows - small))
    weights = weights if weighted else numpy.ones(rows)
    ridge = Ridge(alpha=alpha, fit_intercept=False, solver="cholesky").fit(features, targets, sample_weight=weights)
    errors = targets - features @ ridge.coef_
    return {
        "width": width,
        "lambda": alpha,
        "features": rounded(features),
        "targets": rounded(targets),
        "rowWeights": rounded(weights),
        "weights": ridge.coef_.tolist(),
        "error": float(numpy.sum(weights * errors**2) / numpy.sum(weights)),
    }


random = numpy.random.default_rng(20200626)
cases = [
    case(random, rows=12, width=4, alpha=1.0, weighted=False),
    case(random, rows=40, width=9, alpha=0.01, weighted=True),
    case(random, rows=10, width=16, alpha=0.5, weighted=True),
]
made_by = f"scripts/reference/ridge.py, Python {platform.python_version()}, scikit-learn {sklearn.__version__}"
print(json.dumps({"madeBy": made_by, "cases": cases}, indent=1))
