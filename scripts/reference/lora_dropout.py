"""Value and gradients of blocks with low-rank adapters and dropout of their inputs, by PEFT in float64.

    python -P scripts/reference/lora_dropout.py > test/fixtures/train/loraDropout.json

Needs torch, peft and numpy. Weights and fingerprints are those of encoder_kinds.py; gradients have PEFT's names. PEFT draws
its masks by PyTorch's generator; here each adapter is given the mask that `dropoutMask` makes, by philox.py.
"""

import json
import math
import pathlib
import platform
import sys

import numpy as np
import peft
import torch
import torch.nn.functional as F
from torch import nn

sys.path.append(str(pathlib.Path(__file__).parent))  # after Python's own: statistics.py is here, too
from encoder_kinds import fingerprint, uniform, weight  # noqa: E402
from philox import philox  # noqa: E402

CROPS, TOKENS, LAYERS, HEADS = 3, 5, 2, 2
RANK, ALPHA, RATE, KEY, FIRST = 2, 0.5, 0.25, 123456789, 2
MAPS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"]


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn = nn.ModuleDict({name: nn.Linear(width, width) for name in ("q_proj", "k_proj", "v_proj", "out_proj")})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x, select):
        """x: [crops, tokens, width]"""
        h = self.ln_1(x)
        q, k, v = (
            self.self_attn[name](h).view(CROPS, TOKENS, HEADS, -1).transpose(1, 2) for name in ("q_proj", "k_proj", "v_proj")
        )
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
        gathered = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        x = select(x) + self.self_attn["out_proj"](select(gathered))
        hidden = self.mlp["fc1"](self.ln_2(x))
        return x + self.mlp["fc2"](hidden * torch.sigmoid(1.702 * hidden))


class Given(nn.Module):
    """Dropout by the mask of a map: `stream` is its place among those of the tower."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream

    def forward(self, x):
        places = math.ceil(x.shape[-1] / 4)
        rows = x.numel() // x.shape[-1]
        first = FIRST * (rows // CROPS) * places
        words = [philox((first + i, 0, self.stream, 0), (KEY, 0)) for i in range(rows * places)]
        signed = np.array(words, dtype=np.uint32).view(np.int32).astype(np.float32)
        numbers = (signed * np.float32(2.0**-32) + np.float32(0.5)).reshape(rows, -1)[:, : x.shape[-1]]
        mask = (numbers >= RATE) / (1 - RATE)
        return x * torch.tensor(mask).view(x.shape)


def case(width):
    model = nn.ModuleDict({"blocks": nn.ModuleList([Block(width) for _ in range(LAYERS)])}).double()
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=RATE, target_modules=[name.split(".")[1] for name in MAPS])
    model = peft.inject_adapter_in_model(config, model).double().train()
    for layer, block in enumerate(model["blocks"]):
        for place, name in enumerate(MAPS):
            part, key = name.split(".")
            assert isinstance(getattr(block, part)[key].lora_dropout["default"], nn.Dropout)
            getattr(block, part)[key].lora_dropout["default"] = Given(layer * len(MAPS) + place)
    adapters = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            own = name.replace(".base_layer", "").replace(".default", "")
            parameter.copy_(weight(own, tuple(parameter.shape)))
            if "lora_" in own:
                adapters[own] = parameter
    x = torch.tensor(uniform("x", CROPS * TOKENS * width)).view(CROPS, TOKENS, width).requires_grad_()
    states = x
    for layer, block in enumerate(model["blocks"]):
        states = block(states, (lambda rows: rows[:, :1]) if layer == LAYERS - 1 else (lambda rows: rows))
    (states.flatten() * torch.tensor(uniform("a", states.numel()))).sum().backward()
    found = {name: fingerprint(name, parameter.grad) for name, parameter in adapters.items()}
    return {
        "width": width,
        "value": fingerprint("value", states.detach()),
        "gradients": {"x": fingerprint("x", x.grad), **found},
        "shapes": {name: list(parameter.shape) for name, parameter in adapters.items()},
    }


if __name__ == "__main__":
    versions = {"python": platform.python_version(), "torch": torch.__version__, "peft": peft.__version__}
    settings = {"crops": CROPS, "tokens": TOKENS, "layers": LAYERS, "heads": HEADS, "rank": RANK, "alpha": ALPHA}
    draw = {"rate": RATE, "key": KEY, "first": FIRST}
    # 512 is the width from which norms and activations are computed again
    cases = [case(width) for width in (20, 512)]
    print(json.dumps({"madeBy": "scripts/reference/lora_dropout.py", "versions": versions, **settings, **draw, "cases": cases}))
