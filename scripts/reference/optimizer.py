"""Reference values of the optimizer, the schedules and clipping: PyTorch's own classes.

    pip install torch==2.13.0
    python -P scripts/reference/optimizer.py > test/fixtures/train/optimizer.json
"""

import json

import torch


def wave(length, epochs):
    """CosineAnnealingLR per epoch; where the rate is 0, one more scheduler step at the epoch's start (LIQE release)."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=length)
    rates = []
    for _ in range(epochs):
        optimizer.step()
        if scheduler.get_last_lr()[0] == 0:
            scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
        scheduler.step()
    return rates


def descent(warmup, steps):
    """Linear warm-up to 1, then half a cosine that reaches 0 just after the last step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    linear = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - warmup)
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [linear, cosine], milestones=[warmup])
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def restarts(period, epochs, steps_per_epoch):
    """SGDR: CosineAnnealingWarmRestarts, stepped in fractions of an epoch as its documentation shows."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=period)
    rates = []
    for epoch in range(epochs):
        for step in range(steps_per_epoch):
            optimizer.step()
            scheduler.step(epoch + step / steps_per_epoch)
            rates.append(scheduler.get_last_lr()[0])
    return {"cosineEpochs": period, "stepsPerEpoch": steps_per_epoch, "rates": rates}


def rounded(tensor):
    return [float(x) for x in tensor.detach().flatten()]


def adamw(weight_decay, rates, factors=None):
    """With `factors`, each tensor is a parameter group whose rate is the step's times its factor."""
    torch.manual_seed(5)
    shapes = {"matrix": [2, 3], "vector": [4], "scalar": []}
    parameters = {name: torch.randn(shape).requires_grad_() for name, shape in shapes.items()}
    start = {name: rounded(p) for name, p in parameters.items()}
    groups = [{"params": [parameter]} for parameter in parameters.values()]
    optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=weight_decay)
    gradients, after = [], []
    for rate in rates:
        step = {name: torch.randn(shape) * 10.0 ** torch.randint(-4, 2, ()).item() for name, shape in shapes.items()}
        step["vector"][1] = 0  # one weight without a gradient: decay alone moves it
        for name, parameter in parameters.items():
            parameter.grad = step[name].clone()
        for name, group in zip(shapes, optimizer.param_groups):
            group["lr"] = rate * (factors[name] if factors else 1)
        optimizer.step()
        gradients.append({name: rounded(g) for name, g in step.items()})
        after.append({name: rounded(p) for name, p in parameters.items()})
    if factors:  # of the same start and gradients
        return {"factors": factors, "after": after}
    return {
        "weightDecay": weight_decay,
        "rates": rates,
        "shapes": shapes,
        "start": start,
        "gradients": gradients,
        "after": after,
    }


def clipping(limit):
    gradients = [torch.tensor([3.0, -4.0]), torch.tensor([[12.0], [0.5]])]
    parameters = [torch.zeros_like(g).requires_grad_() for g in gradients]
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
    return {
        "clipNorm": limit,
        "gradients": [rounded(g) for g in gradients],
        "norm": float(norm),
        "clipped": [rounded(p.grad) for p in parameters],
    }


RATES = [0.1, 0.09, 0.05, 0.02, 0.004, 0.01]

print(
    json.dumps(
        {
            "madeBy": "scripts/reference/optimizer.py",
            "versions": {"torch": torch.__version__},
            "wave": {"5": wave(5, 20), "3": wave(3, 11), "1": wave(1, 4)},
            "descent": {"warmupSteps": 4, "rates": descent(4, 15)},
            "restarts": restarts(3, 7, 4),
            "adamw": adamw(0.05, RATES),
            "adamwGroups": adamw(0.05, RATES, {"matrix": 1, "vector": 0.5, "scalar": 0.125}),
            "clipping": [clipping(1.0), clipping(20.0)],
        },
        indent=1,
    )
)
