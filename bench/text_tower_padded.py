"""One measurement for textTower.mjs: every prompt by itself, padded to the context length, in PyTorch.

Arguments: the folder, `forward` or `gradients`, prompts encoded at once. PyTorch's own fused attention under its causal
flag; forward runs without a graph, gradients are summed over the chunks.
"""
import json
import pathlib
import resource
import sys
import time

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import layer_norm, linear, normalize, scaled_dot_product_attention


def main(folder: pathlib.Path, which: str, chunk: int) -> None:
    weights = load_file(folder / "weights.safetensors")
    cotangent = load_file(folder / "cotangent.safetensors")["cotangent"]
    described = json.loads((folder / "prompts.json").read_text())
    prompts, heads = described["prompts"], described["heads"]
    context = weights["positional_embedding"].shape[0]
    tokens = torch.zeros(len(prompts), context, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    ends = torch.tensor([len(prompt) - 1 for prompt in prompts])
    run = forward if which == "forward" else gradients
    chunks = list(zip(tokens.split(chunk), ends.split(chunk), cotangent.split(chunk)))
    run(weights, heads, chunks[:1])  # a chunk to warm up
    started = time.perf_counter()
    result = run(weights, heads, chunks)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if which == "gradients":
        used = sorted({token for prompt in prompts for token in prompt})
        result["used_rows"] = result.pop("token_embedding.weight")[used].contiguous()
    save_file(result, folder / f"{which}-padded.safetensors")
    print(json.dumps({"seconds": seconds, "peakBytes": peak}))


def forward(weights, heads, chunks) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return {"features": torch.cat([encode(weights, heads, tokens, ends) for tokens, ends, _ in chunks])}


def gradients(weights, heads, chunks) -> dict[str, torch.Tensor]:
    leaves = {name: x.detach().requires_grad_(name != "logit_scale") for name, x in weights.items()}
    for tokens, ends, cotangent in chunks:
        (encode(leaves, heads, tokens, ends) * cotangent).sum().backward()
    found = {name: x.grad for name, x in leaves.items() if x.grad is not None}
    for x in leaves.values():
        x.grad = None
    return found


def encode(weights, heads: int, tokens: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """CLIP's text tower: [prompts, context] to [prompts, embedding], unit rows."""
    x = weights["token_embedding.weight"][tokens] + weights["positional_embedding"]
    width = x.shape[-1]
    layers = sum(name.endswith("ln_1.weight") for name in weights)
    for layer in range(layers):
        part = lambda name: weights[f"transformer.resblocks.{layer}.{name}"]  # noqa: E731
        norm = lambda x, name: layer_norm(x, (width,), part(f"{name}.weight"), part(f"{name}.bias"))  # noqa: E731
        qkv = linear(norm(x, "ln_1"), part("attn.in_proj_weight"), part("attn.in_proj_bias"))
        q, k, v = (y.unflatten(-1, (heads, -1)).transpose(1, 2) for y in qkv.chunk(3, -1))
        gathered = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + linear(gathered, part("attn.out_proj.weight"), part("attn.out_proj.bias"))
        hidden = linear(norm(x, "ln_2"), part("mlp.c_fc.weight"), part("mlp.c_fc.bias"))
        hidden = hidden * torch.sigmoid(1.702 * hidden)
        x = x + linear(hidden, part("mlp.c_proj.weight"), part("mlp.c_proj.bias"))
    states = x[torch.arange(len(ends)), ends]
    states = layer_norm(states, (width,), weights["ln_final.weight"], weights["ln_final.bias"])
    return normalize(states @ weights["text_projection"], dim=-1)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
