"""Parts of a step of ViT-B/32 in PyTorch, for bench.mjs: the image tower forward and backward, and AdamW.

    python parts.py FOLDER '{"part": "vision", "crops": 36, "steps": 4, "threads": 2, "autocast": false}'

FOLDER is step.py's. The last line is JSON: seconds of each step, norm of the gradients or of the image tower's
change, peakBytes.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn.functional import normalize

from step import MEAN, STD, clip, features

GRADIENT = 1e-3


def main() -> None:
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(options["threads"])
    model = clip(load_file(folder / "weights.safetensors"))
    measured = vision(model, folder, options) if options["part"] == "vision" else optimizer(model, options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**measured, "peakBytes": peak}))


def vision(model, folder: Path, options: dict) -> dict:
    crops = options["crops"]
    pixels = load_file(folder / "inputs.safetensors")["pixels"].reshape(-1, 224, 224, 3)[:crops]
    weights = torch.sin(torch.arange(crops * 512, dtype=torch.float32)).reshape(crops, 512)
    trained = [*model.vision_model.parameters(), *model.visual_projection.parameters()]
    seconds, norm = [], float("nan")
    for _ in range(options["steps"]):
        start = time.perf_counter()
        for parameter in trained:
            parameter.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=options["autocast"]):
            image = model.get_image_features(pixel_values=((pixels / 255 - MEAN) / STD).permute(0, 3, 1, 2))
        (normalize(features(image).float(), dim=-1) * weights).sum().backward()
        seconds.append(time.perf_counter() - start)
        norm = sum((p.grad**2).sum() for p in trained).sqrt().item()
    return {"seconds": seconds, "norm": norm}


def optimizer(model, options: dict) -> dict:
    trained = [p for name, p in model.named_parameters() if name != "logit_scale"]
    for parameter in trained:
        parameter.grad = torch.full_like(parameter, GRADIENT)
    adam = torch.optim.AdamW(trained, lr=5e-6, weight_decay=1e-3, fused=options["fused"])
    vision = [*model.vision_model.parameters(), *model.visual_projection.parameters()]
    before = [parameter.detach().clone() for parameter in vision]
    seconds = []
    for _ in range(options["steps"]):
        start = time.perf_counter()
        adam.step()
        seconds.append(time.perf_counter() - start)
    squares = sum(((p.detach() - old).double() ** 2).sum() for p, old in zip(vision, before))
    return {"seconds": seconds, "norm": squares.sqrt().item()}


if __name__ == "__main__":
    main()
