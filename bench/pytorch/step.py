"""Training steps of LIQE in PyTorch, for bench.mjs.

    python step.py FOLDER '{"tokens": 77, "steps": 3, "threads": 2, "images": 12, "crops": 3, "autocast": false}'

FOLDER has weights.safetensors (OpenAI's names), inputs.safetensors (pixels, tokens, mos, scenes, distortions) and
labels' sizes in grid.json. The model is transformers' CLIPModel with its fused attention; the recipe is that of the
released LIQE code: all 495 prompts encoded in every step, padded to 77 tokens as released (`tokens` trims them: the
longest has 24), AdamW over all parameters. The last line is JSON: seconds of each step, losses, peakBytes.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn.functional import log_softmax, normalize
from transformers import CLIPConfig, CLIPModel

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])


def main() -> None:
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(options["threads"])
    weights = load_file(folder / "weights.safetensors")
    inputs = load_file(folder / "inputs.safetensors")
    grid = json.loads((folder / "grid.json").read_text())
    model = clip(weights)
    tokens = inputs["tokens"].long()[:, : options["tokens"]]
    pixels = inputs["pixels"].reshape(-1, 224, 224, 3)
    trained = [p for name, p in model.named_parameters() if name != "logit_scale"]
    optimizer = torch.optim.AdamW(trained, lr=5e-6, weight_decay=1e-3, betas=(0.9, 0.999), eps=1e-8)
    towers = [model.get_image_features, model.get_text_features]
    if options.get("compile"):
        towers = [torch.compile(tower) for tower in towers]  # of the model, torch.compile compiles `forward` alone
    encode_images, encode_texts = towers
    seconds, losses = [], []
    for _ in range(options["steps"]):
        start = time.perf_counter()
        crops = ((pixels / 255 - MEAN) / STD).permute(0, 3, 1, 2)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=options["autocast"]):
            image = encode_images(pixel_values=crops)
            text = encode_texts(input_ids=tokens)
        image, text = (features(x).float() for x in (image, text))
        image = normalize(image, dim=-1).reshape(options["images"], options["crops"], -1).mean(1)
        logits = model.logit_scale.detach().exp() * image @ normalize(text, dim=-1).T
        loss = total(logits, inputs, grid)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "losses": losses, "peakBytes": peak}))


def features(output) -> torch.Tensor:
    """Of a tensor, or of what later releases of transformers return instead."""
    return output if torch.is_tensor(output) else output.pooler_output


def total(logits: torch.Tensor, inputs: dict[str, torch.Tensor], grid: dict) -> torch.Tensor:
    """The sum of the three tasks' losses: fidelity of pairs, and cross-entropy of scene and distortion."""
    joint = logits.reshape(len(logits), *grid["sizes"])
    axes = grid["axes"]
    marginal = {axis: joint.logsumexp([k + 1 for k, other in enumerate(axes) if other != axis]) for axis in axes}
    log_p = {axis: log_softmax(values, dim=1) for axis, values in marginal.items()}
    levels = torch.arange(1, log_p["quality"].shape[1] + 1)
    quality = (log_p["quality"].exp() * levels).sum(1)
    p = (1 + torch.erf((quality[:, None] - quality[None]) * 0.5**0.5)) / 2
    mos, same = inputs["mos"], inputs["database"][:, None] == inputs["database"][None]
    target = (1 + torch.sign(mos[:, None] - mos[None])) / 2
    pairs = same & torch.ones_like(same).triu(1)
    databases = int(inputs["database"].max()) + 1
    counts = torch.stack([(pairs & (inputs["database"] == d)[:, None]).sum() for d in range(databases)])
    weight = pairs / (databases * counts[inputs["database"].long()][:, None])
    fidelity = torch.sqrt(p * target + 1e-8) + torch.sqrt((1 - p) * (1 - target) + 1e-8)
    scenes, distortions = inputs["scenes"], inputs["distortions"].long()
    scene = -(scenes / scenes.sum(1, keepdim=True) * log_p["scene"]).sum(1).mean()
    distortion = -log_p["distortion"].gather(1, distortions[:, None]).mean()
    return (weight * (1 - fidelity)).sum() + scene + distortion


def clip(weights: dict[str, torch.Tensor]) -> CLIPModel:
    vision_width, text_width = weights["visual.class_embedding"].shape[0], weights["ln_final.weight"].shape[0]
    layers = {
        side: 1 + max(int(name.split("resblocks.")[1].split(".")[0]) for name in weights if name.startswith(prefix))
        for side, prefix in (("vision", "visual.transformer"), ("text", "transformer"))
    }
    config = CLIPConfig(
        vision_config={
            "hidden_size": vision_width,
            "intermediate_size": 4 * vision_width,
            "num_hidden_layers": layers["vision"],
            "num_attention_heads": vision_width // 64,
            "patch_size": weights["visual.conv1.weight"].shape[-1],
        },
        text_config={
            "hidden_size": text_width,
            "intermediate_size": 4 * text_width,
            "num_hidden_layers": layers["text"],
            "num_attention_heads": text_width // 64,
        },
        projection_dim=weights["visual.proj"].shape[1],
        attn_implementation="sdpa",
    )
    model = CLIPModel(config)
    state = {"logit_scale": weights["logit_scale"].reshape(())}
    for name, value in weights.items():
        for ours, theirs in renamed(name, value):
            state[ours] = theirs
    missing, unknown = model.load_state_dict(state, strict=False)
    left = [name for name in missing if "position_ids" not in name]
    if left or unknown:
        raise SystemExit(f"weights do not fit: missing {left}, unknown {unknown}")
    return model.train()


def renamed(name: str, value: torch.Tensor):
    """One of OpenAI's parameters under transformers' names."""
    side = "vision_model" if name.startswith("visual.") else "text_model"
    single = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    }
    norms = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
    }
    if name in single:
        return [(single[name], value)]
    if name == "visual.proj":
        return [("visual_projection.weight", value.T.contiguous())]
    if name == "text_projection":
        return [("text_projection.weight", value.T.contiguous())]
    if name == "logit_scale":
        return []
    stem, kind = name.rsplit(".", 1)
    if stem in norms:
        return [(f"{norms[stem]}.{kind}", value)]
    layer, part = name.split("resblocks.")[1].split(".", 1)
    prefix = f"{side}.encoder.layers.{layer}"
    if part.startswith("attn.in_proj_"):
        kind = part.removeprefix("attn.in_proj_")
        return [(f"{prefix}.self_attn.{p}_proj.{kind}", third) for p, third in zip("qkv", value.chunk(3))]
    parts = {"attn.out_proj": "self_attn.out_proj", "ln_1": "layer_norm1", "ln_2": "layer_norm2"}
    parts |= {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    stem, kind = part.rsplit(".", 1)
    return [(f"{prefix}.{parts[stem]}.{kind}", value)]


if __name__ == "__main__":
    main()
