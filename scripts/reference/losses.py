"""Reference values of the losses: plain Python in float64, formulas of the docstrings in src/losses.

    python -P scripts/reference/losses.py > test/fixtures/losses/losses.json
"""

import json
import math
import platform

EPSILON = 1e-8
FLOOR = 1e-3


def phi(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def overlap(p, g):
    return math.sqrt(p * g + EPSILON)


def mean(values):
    return math.fsum(values) / len(values)


def target(kind, mos, deviations, i, j):
    difference = mos[i] - mos[j]
    if kind == "sign":
        return 0.5 * (1 + (difference > 0) - (difference < 0))
    spread = math.hypot(max(deviations[i], FLOOR), max(deviations[j], FLOOR))
    return phi(difference / spread)


def quality_loss(kind, quality, mos, deviations, blocks):
    means, start = [], 0
    for size in blocks:
        losses = []
        for i in range(start, start + size):
            for j in range(i + 1, start + size):
                d = quality[i] - quality[j]
                g = target(kind, mos, deviations, i, j)
                losses.append(1 - overlap(phi(d), g) - overlap(phi(-d), 1 - g))
        means.append(mean(losses))
        start += size
    return mean(means)


def softmax(logits):
    largest = max(logits)
    exps = [math.exp(x - largest) for x in logits]
    return [x / math.fsum(exps) for x in exps]


def label_losses(logits, labels):
    rows = [(softmax(x), g) for x, g in zip(logits, labels) if sum(g) > 0]
    return {
        "crossEntropy": mean([-sum(gc / sum(g) * math.log(pc) for pc, gc in zip(p, g)) for p, g in rows]),
        "multiLabelFidelity": mean(
            [mean([1 - overlap(pc, gc) - overlap(1 - pc, 1 - gc) for pc, gc in zip(p, g)]) for p, g in rows]
        ),
        "singleLabelFidelity": mean([1 - sum(overlap(pc, gc) for pc, gc in zip(p, g)) for p, g in rows]),
        "releasedSingleLabelFidelity": mean([(1 - sum(overlap(pc, gc) for pc, gc in zip(p, g))) / len(g) for p, g in rows]),
    }


QUALITY = [3.2, 1.5, 4.1, 2.2, 2.9, 3.0, 1.2]
MOS = [60, 20, 60, 35, 0.5, 0.25, 0.75]
DEVIATIONS = [8, 12.5, 20, 5, 0, 0.07, 0]
BLOCKS = [4, 3]
LOGITS = [[0.5, -1.25, 2.0, 0.0], [3.0, 0.25, -2.0, 1.5], [-0.75, 0.5, 0.125, 0.0], [9.0, -9.0, 0.0, 4.0]]
SEVERAL = [[0, 0, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]]
SINGLE = [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
POINTS = [-8, -6.5, -4, -2.5, -1, -0.1, 0, 1e-9, 0.3, 1, 1.96, 3, 5, 7.5, 8]

print(
    json.dumps(
        {
            "madeBy": "scripts/reference/losses.py",
            "versions": {"python": platform.python_version()},
            "quality": {
                "quality": QUALITY,
                "mos": MOS,
                "mosStd": DEVIATIONS,
                "blocks": BLOCKS,
                "sign": quality_loss("sign", QUALITY, MOS, DEVIATIONS, BLOCKS),
                "thurstone": quality_loss("thurstone", QUALITY, MOS, DEVIATIONS, BLOCKS),
            },
            "labels": {
                "logits": LOGITS,
                "several": {"labels": SEVERAL, **label_losses(LOGITS, SEVERAL)},
                "single": {"labels": SINGLE, **label_losses(LOGITS, SINGLE)},
            },
            "normalCdf": [[x, phi(x)] for x in POINTS],
        },
        indent=1,
    )
)
