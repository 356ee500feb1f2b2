"""Reference values and gradients of the quality losses of scores and of pairs: PyTorch in float64.

    python -P scripts/reference/score_losses.py > test/fixtures/losses/scoreLosses.json
"""

import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

LEVELS = 5
LOGITS = [
    [0.5, -1.25, 2.0, 0.0, 1.0],
    [3.0, 0.25, -2.0, 1.5, 0.0],
    [-0.75, 0.5, 0.125, 0.0, 2.5],
    [9.0, -9.0, 0.0, 4.0, 1.0],
    [0.0, 1.0, 2.0, 3.0, 4.0],
    [1.0, 1.0, -1.0, 0.5, 0.25],
    [0.3, 0.1, 0.2, -0.4, 0.0],
]
MOS = [60.0, 20.0, 60.0, 35.0, 0.5, 0.25, 0.75]
DEVIATIONS = [8.0, 12.5, 20.0, 1.0, 0.2, 0.07, 0.0]
DATABASES = [{"images": 4, "least": 10.0, "most": 80.0}, {"images": 3, "least": 0.0, "most": 1.0}]
MARGIN, DELTA, EPSILON = 0.5, 0.75, 1e-6
POINTS = [[1, 0], [1.7, 0.1], [3, 0.8], [2.4, 0.5], [4.6, 0.9], [5, 1.5], [3.2, 1.2], [1.3, 0.4], [4.95, 0.25]]


def neighbors(score):
    ks = torch.arange(1.0, LEVELS + 1)
    return torch.clamp(1 - (score - ks).abs(), min=0)


def soft(score, deviation):
    score = torch.tensor(float(score))
    if deviation < 0.2:
        return neighbors(score)
    ks = torch.arange(1.0, LEVELS + 1)
    mean = score if abs(float(score) - 3) >= 1e-6 else torch.tensor(3 + 1e-6)
    normal = torch.distributions.Normal(mean, torch.tensor(float(deviation)))
    raw = normal.cdf(ks + 0.5) - normal.cdf(ks - 0.5)
    # alpha and beta of the two equations: sum 1, mean as given
    matrix = torch.stack([torch.stack([raw.sum(), torch.tensor(5.0)]), torch.stack([(raw * ks).sum(), torch.tensor(15.0)])])
    alpha, beta = torch.linalg.solve(matrix, torch.stack([torch.tensor(1.0), mean]))
    kept = torch.clamp(alpha * raw + beta, min=0)
    p = kept / kept.sum()
    return neighbors(score) if abs(float((p * ks).sum() - score)) > 0.1 else p


def per_database(values):
    return torch.split(values, [d["images"] for d in DATABASES])


def mean_over_databases(values):
    return torch.stack([v.mean() for v in per_database(values)]).mean()


mos = torch.tensor(MOS)
spans = torch.tensor([d["most"] - d["least"] for d in DATABASES for _ in range(d["images"])])
leasts = torch.tensor([d["least"] for d in DATABASES for _ in range(d["images"])])
aligned = 1 + (LEVELS - 1) * (mos - leasts) / spans
deviations = (LEVELS - 1) * torch.tensor(DEVIATIONS) / spans
targets = torch.stack([soft(a, d) for a, d in zip(aligned.tolist(), deviations.tolist())])
ks = torch.arange(1.0, LEVELS + 1)


def quality(logits):
    return (logits.softmax(1) * ks).sum(1)


def kl(logits):
    return mean_over_databases(F.kl_div(logits.log_softmax(1), targets, reduction="none").sum(1))


def emd(logits):
    return mean_over_databases((logits.softmax(1).cumsum(1) - targets.cumsum(1)).square().sum(1))


def plcc(logits):
    pairs = zip(per_database(quality(logits)), per_database(aligned))
    return torch.stack([(1 - torch.corrcoef(torch.stack([q, m]))[0, 1]) / 2 for q, m in pairs]).mean()


def norm_in_norm(logits):
    losses = []
    for q, m in zip(per_database(quality(logits)), per_database(aligned)):
        x, y = q - q.mean(), m - m.mean()
        x, y = x / (x.square().sum() + EPSILON).sqrt(), F.normalize(y, dim=0)
        losses.append((x - y).abs().sum() / (2 * len(q) ** 0.5))
    return torch.stack(losses).mean()


def huber(logits):
    return mean_over_databases(F.huber_loss(quality(logits), aligned, delta=DELTA, reduction="none"))


def margin(logits):
    losses = []
    for q, m in zip(per_database(quality(logits)), per_database(aligned)):
        i, j = torch.triu_indices(len(q), len(q), offset=1)
        rank = lambda sign: F.margin_ranking_loss(q[i], q[j], torch.full_like(q[i], sign), margin=MARGIN, reduction="none")
        better = (1 + torch.sign(m[i] - m[j])) / 2
        losses.append((better * rank(1.0) + (1 - better) * rank(-1.0)).mean())
    return torch.stack(losses).mean()


def bradley_terry(logits):
    losses = []
    for q, m in zip(per_database(quality(logits)), per_database(aligned)):
        i, j = torch.triu_indices(len(q), len(q), offset=1)
        better = (1 + torch.sign(m[i] - m[j])) / 2
        losses.append(F.binary_cross_entropy_with_logits(q[i] - q[j], better))
    return torch.stack(losses).mean()


# Pairs that people compared: images 0 and 1, 2 and 3 of the first database; the second one has scores.
SHARES = [0.85, 0.4]


def on_pairs(of_pairs):
    """Of the first database's two pairs by their shares, and of the second one's three pairs by their order."""

    def loss(logits):
        q, scored = per_database(quality(logits))
        compared = of_pairs(q[0::2] - q[1::2], torch.tensor(SHARES))
        i, j = torch.triu_indices(len(scored), len(scored), offset=1)
        order = (1 + torch.sign(mos[4 + i] - mos[4 + j])) / 2
        return (compared + of_pairs(scored[i] - scored[j], order)) / 2

    return loss


def fidelity_of(d, g):
    p = torch.special.ndtr(d)
    return (1 - (p * g + 1e-8).sqrt() - ((1 - p) * (1 - g) + 1e-8).sqrt()).mean()


def margin_of(d, g):
    rank = lambda sign: F.margin_ranking_loss(d, torch.zeros_like(d), torch.full_like(d, sign), margin=MARGIN, reduction="none")
    return (g * rank(1.0) + (1 - g) * rank(-1.0)).mean()


compared = {
    "fidelity": on_pairs(fidelity_of),
    "margin": on_pairs(margin_of),
    "bradley-terry": on_pairs(F.binary_cross_entropy_with_logits),
}


def value_and_gradient(loss):
    logits = torch.tensor(LOGITS, requires_grad=True)
    value = loss(logits)
    value.backward()
    return {"value": value.item(), "gradient": logits.grad.tolist()}


losses = {"kl": kl, "emd": emd, "plcc": plcc, "norm-in-norm": norm_in_norm, "huber": huber, "margin": margin}
losses["bradley-terry"] = bradley_terry
print(
    json.dumps(
        {
            "madeBy": "scripts/reference/score_losses.py",
            "versions": {"torch": torch.__version__},
            "logits": LOGITS,
            "mos": MOS,
            "mosStd": DEVIATIONS,
            "databases": DATABASES,
            "margin": MARGIN,
            "huberDelta": DELTA,
            "softLevels": [{"score": s, "deviation": d, "levels": soft(s, d).tolist()} for s, d in POINTS],
            "shares": SHARES,
            "compared": {name: value_and_gradient(loss) for name, loss in compared.items()},
            "losses": {name: value_and_gradient(loss) for name, loss in losses.items()},
        },
        indent=1,
    )
)
