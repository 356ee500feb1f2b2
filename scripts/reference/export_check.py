"""What exports of `liqe export` give in Python, beside PyTorch's own forward pass of the same weights.

    pip install torch==2.13.0 transformers safetensors numpy pillow onnx onnxruntime
    python -P scripts/reference/export_check.py WEIGHTS EXPORT...

WEIGHTS is what was exported: a file with OpenAI's or Hugging Face's names of a CLIP without a hierarchical stem. Each
EXPORT is a folder that was written: `openai` is loaded by torch.load(weights_only=True) into transformers' CLIPModel,
`safetensors` by safetensors, `onnx` is checked by onnx.checker and run by ONNX Runtime, crops and whole images. Scores of
the golden images, drawn by the code in the export's README, are compared with those of WEIGHTS in PyTorch and with
golden.json; where WEIGHTS lies beside inputs.safetensors and expected.safetensors (liqe_tiny.py), features with the
golden ones too. Exits 1 where a quality is off by more than the export's own tolerance.
"""
import itertools
import json
import pathlib
import re
import sys

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from transformers import CLIPModel

sys.path.append(str(pathlib.Path(__file__).parent))
from liqe_tiny import MEAN, STD, clip_tokenizer, config_of, unit  # noqa: E402

BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
OUTSIDE = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "logit_scale": "logit_scale",
}


def main(weights: pathlib.Path, exports: list[pathlib.Path]) -> None:
    torch.set_grad_enabled(False)
    reference = clip_of(read(weights))
    worst_excess = 0.0
    scorer, prompts = None, None
    for folder in exports:
        manifest = json.loads((folder / "manifest.json").read_text())
        images = golden_images(folder)
        if scorer is None or manifest["prompts"] != prompts:
            scorer, prompts = Torch(reference, manifest), manifest["prompts"]
            wanted = [scorer.score(pixels) for pixels in images]
        golden = json.loads((folder / "golden.json").read_text())["images"]
        tolerance = manifest["parity"]["tolerance"]["quality"]
        name = f"{folder.parent.name}/{folder.name} {manifest['dtype']}"
        report(f"{name}: golden.json", [image["quality"] for image in golden], wanted)
        for title, score in scorers(folder, manifest, weights):
            worst = report(f"{name}: {title}", [score(pixels) for pixels in images], wanted)
            worst_excess = max(worst_excess, worst / tolerance)
    sys.exit(1 if not worst_excess <= 1 else 0)


def report(title: str, got: list[float], wanted: list[float]) -> float:
    worst = max(abs(a - b) for a, b in zip(got, wanted, strict=True))
    print(f"{title:60} quality within {worst:.1e} of PyTorch's")
    return worst


def scorers(folder: pathlib.Path, manifest: dict, weights: pathlib.Path):
    """What the folder holds, as functions from a whole image to its quality."""
    if manifest["format"] == "onnx":
        yield from onnx_scorers(folder, manifest)
        return
    for file in sorted([*folder.glob("*.pt"), *folder.glob("*.safetensors")]):
        model = clip_of(read(file))
        if (weights.parent / "inputs.safetensors").exists():
            compare_features(file.name, model, weights.parent)
        yield file.name, Torch(model, manifest).score


def onnx_scorers(folder: pathlib.Path, manifest: dict):
    import onnx
    import onnxruntime

    for file in ("model.onnx", "model-image.onnx"):
        model = onnx.load(folder / file)
        onnx.checker.check_model(model, full_check=True)
        opset = model.opset_import[0].version
        del model
        session = onnxruntime.InferenceSession(folder / file, providers=["CPUExecutionProvider"])

        def score(pixels: np.ndarray, session=session, file=file) -> float:
            fed = {"image": pixels}
            if file == "model.onnx":
                fed = {"crops": np.ascontiguousarray(crops_of(pixels, manifest).transpose(0, 3, 1, 2) / np.float32(255))}
            quality, crops = session.run(["quality", "crop_quality"], fed)
            assert len(crops) <= manifest["preprocessing"]["crops"]
            return float(quality)

        yield f"{file}, opset {opset}, onnx.checker passed, ONNX Runtime {onnxruntime.__version__}", score


class Torch:
    """LIQE's score by transformers' CLIPModel."""

    def __init__(self, model: CLIPModel, manifest: dict):
        self.model, self.manifest = model, manifest
        axes = {axis["axis"]: axis["labels"] for axis in manifest["prompts"]["axes"]}
        self.sizes = [len(labels) for labels in axes.values()]
        prompts = [
            manifest["prompts"]["template"].format(**dict(zip(axes, labels)))
            for labels in itertools.product(*axes.values())
        ]
        self.text = torch.cat([text_features(model, prompts[i : i + 33]) for i in range(0, len(prompts), 33)])

    def score(self, pixels: np.ndarray) -> float:
        crops = torch.from_numpy(crops_of(pixels, self.manifest))
        logits = self.model.logit_scale.exp() * image_features(self.model, crops) @ self.text.T
        joint = logits.mean(0).softmax(0).reshape(self.sizes)
        quality = joint.flatten(1).sum(1) if joint.dim() > 1 else joint
        return (quality * torch.arange(1, len(quality) + 1)).sum().item()


def image_features(model: CLIPModel, crops: torch.Tensor) -> torch.Tensor:
    values = ((crops.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)
    return unit(model.visual_projection(model.vision_model(pixel_values=values).pooler_output))


def text_features(model: CLIPModel, prompts) -> torch.Tensor:
    tokens = torch.zeros(len(prompts), 77, dtype=torch.long)
    tokenizer = clip_tokenizer()
    for row, prompt in zip(tokens, prompts):
        ids = torch.tensor(tokenizer(prompt)["input_ids"])
        row[: len(ids)] = ids
    return unit(model.text_projection(model.text_model(input_ids=tokens).pooler_output))


def compare_features(name: str, model: CLIPModel, golden: pathlib.Path) -> None:
    inputs = safetensors.torch.load_file(golden / "inputs.safetensors")
    expected = safetensors.torch.load_file(golden / "expected.safetensors")
    text = unit(model.text_projection(model.text_model(input_ids=inputs["tokens"].long()).pooler_output))
    for kind, got in (("image", image_features(model, inputs["pixels"])), ("text", text)):
        print(f"{name:60} {kind} features within {(got - expected[f'{kind}_features']).abs().max():.1e} of the golden ones")


def crops_of(pixels: np.ndarray, manifest: dict) -> np.ndarray:
    """The windows that an image is scored by, written from the manifest: [n, 224, 224, 3]."""
    rule = manifest["preprocessing"]
    most, shorter = rule["reduceShorterSideTo"], min(pixels.shape[:2])
    if shorter > most:
        rows, cols = (most * side // shorter for side in pixels.shape[:2])
        narrow = Image.fromarray(pixels).resize((cols, pixels.shape[0]), Image.BILINEAR)
        pixels = np.asarray(narrow.resize((cols, rows), Image.BILINEAR))
    side, (rows, cols) = rule["window"], pixels.shape[:2]
    stride = rule["largeStride"] if max(rows, cols) >= rule["largeSide"] else rule["stride"]
    corners = [
        (top, left)
        for top in range(0, rows - side + 1, stride)
        for left in range(0, cols - side + 1, stride)
    ]
    step = max(1, len(corners) // rule["crops"])
    return np.stack([pixels[t : t + side, l : l + side] for t, l in corners[::step][: rule["crops"]]])


def golden_images(folder: pathlib.Path) -> list[np.ndarray]:
    code = re.search(r"```python\n(import numpy as np\n\ndef hash32.*?)```", (folder / "README.md").read_text(), re.S)
    space: dict = {}
    exec(code[1], space)
    images = json.loads((folder / "golden.json").read_text())["images"]
    return [space["golden_image"](image["seed"], image["rows"], image["cols"]) for image in images]


def read(file: pathlib.Path) -> dict[str, torch.Tensor]:
    """Tensors by name, float32; IQA-PyTorch's wrapping taken off."""
    if file.suffix == ".safetensors":
        tensors = safetensors.torch.load_file(file)
    else:
        tensors = torch.load(file, weights_only=True)
        if "params" in tensors:
            tensors = {name.removeprefix("clip_model."): x for name, x in tensors["params"].items()}
    return {name: x.float() for name, x in tensors.items()}


def clip_of(tensors: dict[str, torch.Tensor]) -> CLIPModel:
    hf = tensors if "visual_projection.weight" in tensors else to_hugging_face(tensors)
    count = lambda tower: len({name.split(".")[3] for name in hf if name.startswith(f"{tower}.encoder.layers.")})
    sizes = dict(
        vision_width=hf["visual_projection.weight"].shape[1],
        vision_layers=count("vision_model"),
        patch=hf["vision_model.embeddings.patch_embedding.weight"].shape[3],
        text_width=hf["text_projection.weight"].shape[1],
        text_layers=count("text_model"),
        embed=hf["text_projection.weight"].shape[0],
    )
    model = CLIPModel(config_of(sizes)).eval()
    missing, unexpected = model.load_state_dict(hf, strict=False)
    assert not unexpected and all(name.endswith("position_ids") for name in missing), (missing, unexpected)
    return model


def to_hugging_face(openai: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    hf = {}
    for name, x in openai.items():
        if name in ("visual.proj", "text_projection"):
            hf["visual_projection.weight" if name == "visual.proj" else "text_projection.weight"] = x.T.contiguous()
            continue
        block = re.fullmatch(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+?)[._](weight|bias)", name)
        if block is None:
            stem = next(known for known in OUTSIDE if name == known or name.startswith(f"{known}."))
            hf[OUTSIDE[stem] + name.removeprefix(stem)] = x
            continue
        tower = "vision_model" if block[1] else "text_model"
        layer = f"{tower}.encoder.layers.{block[2]}"
        if block[3] == "attn.in_proj":
            for part, third in zip("qkv", x.chunk(3)):
                hf[f"{layer}.self_attn.{part}_proj.{block[4]}"] = third
        else:
            hf[f"{layer}.{BLOCK[block[3]]}.{block[4]}"] = x
    return hf


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]])
