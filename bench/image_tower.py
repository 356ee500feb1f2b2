"""One measurement for evaluation.mjs: CLIP's ViT-B/32 on crops that lie ready in memory as normalized floats.

Arguments: the folder, crops at once, threads. PyTorch's fused attention, no gradients.
"""
import json
import pathlib
import resource
import sys
import time

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import conv2d, layer_norm, linear, normalize, scaled_dot_product_attention

SIDE = 224
HEAD_WIDTH = 64
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
SHOWN = 8


def main(folder: pathlib.Path, batch: int, threads: int) -> None:
    torch.set_num_threads(threads)
    weights = load_file(folder / "weights.safetensors")
    weights = {name.removeprefix("visual."): x for name, x in weights.items()}
    levels = torch.frombuffer(bytearray((folder / "crops.u8").read_bytes()), dtype=torch.uint8)
    levels = levels.view(-1, SIDE, SIDE, 3)
    pixels = ((levels / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2).contiguous()
    with torch.inference_mode():
        encode(weights, pixels[:batch])  # to warm up
        started = time.perf_counter()
        features = torch.cat([encode(weights, some) for some in pixels.split(batch)])
        seconds = time.perf_counter() - started
    save_file({"features": features[:SHOWN].contiguous()}, folder / "features-torch.safetensors")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peakBytes": peak}))


def encode(weights: dict[str, torch.Tensor], pixels: torch.Tensor) -> torch.Tensor:
    """[crops, 3, 224, 224] to [crops, embedding], unit rows."""
    norm = lambda x, name: layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])  # noqa: E731
    kernel = weights["conv1.weight"]
    cells = conv2d(pixels, kernel, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    class_token = weights["class_embedding"].expand(len(pixels), 1, -1)
    x = norm(torch.cat([class_token, cells], 1) + weights["positional_embedding"], "ln_pre")
    layers = sum(name.endswith("ln_1.weight") for name in weights)
    for layer in range(layers):
        x = block(weights, f"transformer.resblocks.{layer}", x, norm)
    return normalize(norm(x[:, 0], "ln_post") @ weights["proj"], dim=-1)


def block(weights: dict[str, torch.Tensor], prefix: str, x: torch.Tensor, norm) -> torch.Tensor:
    mapped = lambda x, name, dot=".": linear(x, weights[f"{prefix}.{name}{dot}weight"], weights[f"{prefix}.{name}{dot}bias"])  # noqa: E731, E501
    qkv = mapped(norm(x, f"{prefix}.ln_1"), "attn.in_proj", "_")
    q, k, v = (y.unflatten(-1, (-1, HEAD_WIDTH)).transpose(1, 2) for y in qkv.chunk(3, -1))
    gathered = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + mapped(gathered, "attn.out_proj")
    hidden = mapped(norm(x, f"{prefix}.ln_2"), "mlp.c_fc")
    return x + mapped(hidden * torch.sigmoid(1.702 * hidden), "mlp.c_proj")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
