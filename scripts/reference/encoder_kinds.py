"""Features and gradients of small encoders of the families that CLIP weights come in, by PyTorch in float64.

    python -P scripts/reference/encoder_kinds.py > test/fixtures/weights/encoderKinds.json

Needs torch and transformers. No weights are stored: every number is a function of its tensor's name and its place
(`uniform`), which the test computes too. A gradient is stored as its norm and its products with three such vectors.
"""

import json
import math
import platform

import numpy as np
import torch
import torch.nn.functional as F
import transformers

CROPS = 3
IMAGE, PATCH = 28, 14
TEXT_WIDTH, EMBEDDING, CONTEXT, VOCABULARY = 128, 48, 77, 49408
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
LOG_SCALE = 2.6593
QUALITIES = [2103, 3665, 2849, 886, 1878]  # bad, poor, fair, good, perfect
PROMPTS = [[49406, 320, 1125, 593, quality, 3027, 49407] for quality in QUALITIES]

# Width and heads of the image tower, heads of the text tower, activation, ratio of the feed-forward layers
FAMILIES = {
    "ViT-B/32 of LAION": (128, 2, 2, "gelu", 4.0),
    "ViT-H/14": (160, 2, 2, "gelu", 4.0),
    "ViT-H/14 with QuickGELU": (160, 2, 2, "quick-gelu", 4.0),
    "ViT-g/14": (176, 2, 2, "gelu", 4.3637),
    "ViT-bigG/14": (208, 2, 2, "gelu", 4.9231),
}


def seed_of(name):
    seed = 0
    for letter in name:
        seed = (seed * 31 + ord(letter)) % 2**32
    return seed


def uniform(name, count):
    """Numbers from -1 to 1: a hash of name and place."""
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(seed_of(name))
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x85EBCA6B)
        x ^= x >> np.uint32(13)
        x *= np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 2**31 - 1


def weight(name, shape):
    """A weight as a file has it, rounded to float32."""
    if name == "logit_scale":
        return torch.tensor(np.float32(LOG_SCALE)).double()
    values = uniform(name, math.prod(shape))
    if len(shape) == 1:
        is_gain = name.endswith("weight")
        values = values * 0.1 + (1 if is_gain else 0)
    elif "embedding" in name and "patch" not in name:
        values = values * 0.5
    else:
        values = values * 2 / math.sqrt(math.prod(shape[1:]))
    return torch.tensor(values.astype(np.float32).reshape(shape)).double()


def activation(kind, x):
    return F.gelu(x) if kind == "gelu" else x * torch.sigmoid(1.702 * x)


def attention(w, name, x, heads, mask):
    batch, tokens, width = x.shape
    qkv = x @ w[f"{name}.in_proj_weight"].T + w[f"{name}.in_proj_bias"]
    q, k, v = (part.view(batch, tokens, heads, -1).transpose(1, 2) for part in qkv.chunk(3, -1))
    scores = q @ k.transpose(2, 3) / math.sqrt(width // heads) + mask
    gathered = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width)
    return gathered @ w[f"{name}.out_proj.weight"].T + w[f"{name}.out_proj.bias"]


def norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def block(w, name, x, heads, kind, mask):
    x = x + attention(w, f"{name}.attn", norm(w, f"{name}.ln_1", x), heads, mask)
    hidden = norm(w, f"{name}.ln_2", x) @ w[f"{name}.mlp.c_fc.weight"].T + w[f"{name}.mlp.c_fc.bias"]
    return x + activation(kind, hidden) @ w[f"{name}.mlp.c_proj.weight"].T + w[f"{name}.mlp.c_proj.bias"]


def shapes_of(width, ratio):
    hidden = int(width * ratio)

    def stack(name, width, hidden, layers):
        for i in range(layers):
            p = f"{name}.resblocks.{i}"
            for ln in ("ln_1", "ln_2"):
                yield f"{p}.{ln}.weight", [width]
                yield f"{p}.{ln}.bias", [width]
            yield f"{p}.attn.in_proj_weight", [3 * width, width]
            yield f"{p}.attn.in_proj_bias", [3 * width]
            yield f"{p}.attn.out_proj.weight", [width, width]
            yield f"{p}.attn.out_proj.bias", [width]
            yield f"{p}.mlp.c_fc.weight", [hidden, width]
            yield f"{p}.mlp.c_fc.bias", [hidden]
            yield f"{p}.mlp.c_proj.weight", [width, hidden]
            yield f"{p}.mlp.c_proj.bias", [width]

    shapes = {
        "visual.class_embedding": [width],
        "visual.positional_embedding": [(IMAGE // PATCH) ** 2 + 1, width],
        "visual.conv1.weight": [width, 3, PATCH, PATCH],
        "visual.proj": [width, EMBEDDING],
        "positional_embedding": [CONTEXT, TEXT_WIDTH],
        "token_embedding.weight": [VOCABULARY, TEXT_WIDTH],
        "text_projection": [TEXT_WIDTH, EMBEDDING],
        "logit_scale": [],
        **dict(stack("visual.transformer", width, hidden, 2)),
        **dict(stack("transformer", TEXT_WIDTH, 4 * TEXT_WIDTH, 1)),
    }
    for name, size in (("visual.ln_pre", width), ("visual.ln_post", width), ("ln_final", TEXT_WIDTH)):
        shapes |= {f"{name}.weight": [size], f"{name}.bias": [size]}
    return shapes


def pixels():
    bytes_ = np.floor((uniform("pixels", CROPS * IMAGE * IMAGE * 3) + 1) * 128).reshape(CROPS, IMAGE, IMAGE, 3)
    scaled = (torch.tensor(bytes_) / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    return scaled.permute(0, 3, 1, 2)


def image_features(w, heads, kind):
    x = F.conv2d(pixels(), w["visual.conv1.weight"], stride=PATCH).flatten(2).transpose(1, 2)
    x = torch.cat([w["visual.class_embedding"].expand(CROPS, 1, -1), x], 1) + w["visual.positional_embedding"]
    x = norm(w, "visual.ln_pre", x)
    for i in range(2):
        x = block(w, f"visual.transformer.resblocks.{i}", x, heads, kind, 0)
    return F.normalize(norm(w, "visual.ln_post", x[:, 0]) @ w["visual.proj"], dim=-1)


def text_features(w, heads, kind):
    tokens = torch.tensor(PROMPTS)
    length = tokens.shape[1]
    x = w["token_embedding.weight"][tokens] + w["positional_embedding"][:length]
    x = block(w, "transformer.resblocks.0", x, heads, kind, torch.full((length, length), -math.inf).triu(1))
    return F.normalize(norm(w, "ln_final", x[:, -1]) @ w["text_projection"], dim=-1)


def fingerprint(name, gradient):
    values = gradient.flatten().numpy()
    products = [float(values @ uniform(f"{name} {k}", values.size)) for k in range(3)]
    return {"norm": float(np.linalg.norm(values)), "products": products}


def family(width, heads, text_heads, kind, ratio):
    w = {name: weight(name, shape).requires_grad_() for name, shape in shapes_of(width, ratio).items()}
    images, texts = image_features(w, heads, kind), text_features(w, text_heads, kind)
    loss = sum((f * torch.tensor(uniform(n, f.numel())).view_as(f)).sum() for n, f in (("a", images), ("b", texts)))
    loss.backward()
    vision = {"image_size": IMAGE, "layers": 2, "width": width, "head_width": width // heads, "patch_size": PATCH}
    text = {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": TEXT_WIDTH, "heads": text_heads, "layers": 1}
    model = {"embed_dim": EMBEDDING, "vision_cfg": vision | ({} if ratio == 4 else {"mlp_ratio": ratio}), "text_cfg": text}
    if kind == "quick-gelu":
        model["quick_gelu"] = True
    used = {n: v for n, v in w.items() if n not in ("logit_scale", "token_embedding.weight")}
    return {
        "files": {"open_clip_config.json": {"model_cfg": model, "preprocess_cfg": {"mean": MEAN, "std": STD}}},
        "weights": "open_clip_model.safetensors",
        "shapes": {name: list(v.shape) for name, v in w.items()},
        "imageFeatures": images.flatten().tolist(),
        "textFeatures": texts.flatten().tolist(),
        "gradients": {n: fingerprint(n, v.grad) for n, v in used.items()}
        | {"token_embedding.weight": {"norm": float(w["token_embedding.weight"].grad.norm()), "products": []}},
    }


def transformers_family():
    """ViT-H/14 as transformers has it: its own names, its own config, its own code."""
    size = {"hidden_act": "gelu", "layer_norm_eps": 1e-5}
    vision = dict(size, hidden_size=160, intermediate_size=640, num_hidden_layers=2, num_attention_heads=2)
    text = dict(size, hidden_size=TEXT_WIDTH, intermediate_size=4 * TEXT_WIDTH, num_hidden_layers=1)
    config = transformers.CLIPConfig(
        vision_config=vision | {"image_size": IMAGE, "patch_size": PATCH},
        text_config=text | {"num_attention_heads": 2, "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT},
        projection_dim=EMBEDDING,
    )
    model = transformers.CLIPModel(config).double().eval()
    state = {n: v for n, v in model.state_dict().items() if not n.endswith("position_ids")}
    model.load_state_dict({n: weight(n, list(v.shape)) for n, v in state.items()}, strict=False)
    with torch.no_grad():
        images = model.visual_projection(model.vision_model(pixel_values=pixels()).pooler_output)
        texts = model.text_projection(model.text_model(input_ids=torch.tensor(PROMPTS)).pooler_output)
    return {
        "files": {"config.json": config.to_dict()},
        "weights": "model.safetensors",
        "shapes": {n: list(v.shape) for n, v in state.items()},
        "imageFeatures": F.normalize(images, dim=-1).flatten().tolist(),
        "textFeatures": F.normalize(texts, dim=-1).flatten().tolist(),
        "gradients": {},
    }


if __name__ == "__main__":
    families = {name: family(*sizes) for name, sizes in FAMILIES.items()}
    families["ViT-H/14 of transformers"] = transformers_family()
    versions = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__}
    made = {"madeBy": "scripts/reference/encoder_kinds.py", "versions": versions, "crops": CROPS, "prompts": PROMPTS}
    print(json.dumps(made | {"families": families}, default=str))
