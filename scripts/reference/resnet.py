"""Features and gradients of small CLIPs with a modified ResNet, by PyTorch in float64.

    python -P scripts/reference/resnet.py > test/fixtures/weights/resnets.json

Needs torch. The module is written after the description in arXiv 2103.00020, section 2.4, under OpenAI's names; weights and
fingerprints are those of encoder_kinds.py. Batch statistics are constants, as in `eval()`.
"""

import json
import pathlib
import platform
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from encoder_kinds import (  # noqa: E402
    CONTEXT, CROPS, EMBEDDING, MEAN, PROMPTS, STD, TEXT_WIDTH, VOCABULARY, fingerprint, shapes_of, text_features, uniform, weight,
)

# Channels after the stem, bottlenecks of the stages, window: heads of 64, as all published ones have
FAMILIES = {"RN50": (8, (2, 1, 1, 1), 64), "RN50x4": (10, (1, 2, 1, 1), 96)}


class Bottleneck(nn.Module):
    def __init__(self, width, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        self.pool = nn.AvgPool2d(stride)
        self.downsample = None
        if stride > 1 or width != 4 * planes:
            self.downsample = nn.Sequential()
            self.downsample.add_module("-1", nn.AvgPool2d(stride))
            self.downsample.add_module("0", nn.Conv2d(width, 4 * planes, 1, bias=False))
            self.downsample.add_module("1", nn.BatchNorm2d(4 * planes))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.pool(F.relu(self.bn2(self.conv2(y))))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


class AttentionPool(nn.Module):
    def __init__(self, side, width, heads, out):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.empty(side * side + 1, width))
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, out)
        self.heads = heads

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], 1) + self.positional_embedding
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        seen = F.scaled_dot_product_attention(split(self.q_proj(x[:, :1])), split(self.k_proj(x)), split(self.v_proj(x)))
        return self.c_proj(seen.transpose(1, 2).flatten(2)[:, 0])


class ModifiedResNet(nn.Module):
    def __init__(self, width, stages, image):
        super().__init__()
        half = width // 2
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        before = width
        for stage, blocks in enumerate(stages):
            planes, layer = width * 2**stage, []
            for i in range(blocks):
                layer.append(Bottleneck(before, planes, 2 if i == 0 and stage > 0 else 1))
                before = 4 * planes
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.attnpool = AttentionPool(image // 32, before, before // 64, EMBEDDING)

    def forward(self, x):
        for i in (1, 2, 3):
            x = F.relu(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)))
        x = F.avg_pool2d(x, 2)
        for i in (1, 2, 3, 4):
            x = getattr(self, f"layer{i}")(x)
        return self.attnpool(x)


def number(name, shape):
    """A weight or a statistic: variances are positive."""
    if not name.endswith("running_var"):
        return weight(name, shape)
    return torch.tensor((1 + 0.5 * uniform(name, shape[0])).astype(np.float32)).double()


def pixels(image):
    bytes_ = np.floor((uniform("pixels", CROPS * image * image * 3) + 1) * 128).reshape(CROPS, image, image, 3)
    scaled = (torch.tensor(bytes_) / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    return scaled.permute(0, 3, 1, 2)


def family(width, stages, image):
    tower = ModifiedResNet(width, stages, image).double().eval()
    state = {n: v for n, v in tower.state_dict().items() if not n.endswith("num_batches_tracked")}
    tower.load_state_dict({n: number(f"visual.{n}", list(v.shape)) for n, v in state.items()}, strict=False)
    text_shapes = {n: s for n, s in shapes_of(TEXT_WIDTH, 4).items() if not n.startswith("visual.")}
    text = {n: weight(n, s).requires_grad_() for n, s in text_shapes.items()}
    images, texts = F.normalize(tower(pixels(image)), dim=-1), text_features(text, 2, "quick-gelu")
    loss = sum((f * torch.tensor(uniform(n, f.numel())).view_as(f)).sum() for n, f in (("a", images), ("b", texts)))
    loss.backward()
    trained = {f"visual.{n}": v for n, v in tower.named_parameters()}
    trained |= {n: v for n, v in text.items() if n not in ("logit_scale", "token_embedding.weight")}
    model = {
        "embed_dim": EMBEDDING,
        "quick_gelu": True,
        "vision_cfg": {"image_size": image, "layers": list(stages), "width": width, "patch_size": None},
        "text_cfg": {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": TEXT_WIDTH, "heads": 2, "layers": 1},
    }
    return {
        "files": {"open_clip_config.json": {"model_cfg": model, "preprocess_cfg": {"mean": MEAN, "std": STD}}},
        "weights": "open_clip_model.safetensors",
        "shapes": {f"visual.{n}": list(v.shape) for n, v in state.items()} | text_shapes,
        "imageFeatures": images.flatten().tolist(),
        "textFeatures": texts.flatten().tolist(),
        "gradients": {n: fingerprint(n, v.grad) for n, v in trained.items()}
        | {"token_embedding.weight": {"norm": float(text["token_embedding.weight"].grad.norm()), "products": []}},
    }


if __name__ == "__main__":
    families = {name: family(*sizes) for name, sizes in FAMILIES.items()}
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    made = {"madeBy": "scripts/reference/resnet.py", "versions": versions, "crops": CROPS, "prompts": PROMPTS}
    print(json.dumps(made | {"families": families}))
