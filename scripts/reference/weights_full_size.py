"""A random ViT-B/32 in every format that is read, and PyTorch's features of 8 images and the 495 prompts.

    python -P scripts/reference/weights_full_size.py FOLDER        writes 1.8 GB into FOLDER
    node scripts/reference/weights_full_size.mjs FOLDER            compares features from each file

Weights are drawn as CLIP initializes them, with a logit scale of 100, and rounded to bfloat16, which float16 holds too
(smaller ones are set to 0): all files have the same values.
"""
import json
import pathlib
import sys

import safetensors.torch
import torch
from transformers import CLIPModel

sys.path.append(str(pathlib.Path(__file__).parent))
from liqe_tiny import MEAN, STD, as_torchscript, config_of, to_openai, tokenize, unit  # noqa: E402

IMAGES = 8
SIZES = dict(vision_width=768, vision_layers=12, patch=32, text_width=512, text_layers=12, embed=512)
SMALLEST = 2.0**-14  # float16's smallest normal number


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    model = CLIPModel(config_of(SIZES)).eval()
    model.requires_grad_(False)
    for name, x in model.named_parameters():
        if x.dim() == 1:
            x += 0.02 * torch.randn_like(x)
        if name == "logit_scale":
            x.fill_(4.6052)
        x.copy_(torch.where(x.abs() < SMALLEST, 0, x.bfloat16().float()))
    hf = {name: x for name, x in model.state_dict().items() if not name.endswith("position_ids")}
    openai = to_openai(hf)
    safetensors.torch.save_file(hf, folder / "hf-f32.safetensors")
    safetensors.torch.save_file({n: x.bfloat16() for n, x in openai.items()}, folder / "openai-bf16.safetensors")
    torch.save({"model_state_dict": {f"module.{n}": x.half() for n, x in openai.items()}}, folder / "openai-f16.pt")
    torch.jit.save(as_torchscript({n: x.half() for n, x in openai.items()}), folder / "openai-f16-jit.pt")
    pixels = torch.randint(0, 256, (IMAGES, 224, 224, 3), dtype=torch.uint8)
    tokens = tokenize()
    values = ((pixels.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)
    image = unit(model.visual_projection(model.vision_model(pixel_values=values).pooler_output))
    text = [model.text_projection(model.text_model(input_ids=part).pooler_output) for part in tokens.split(33)]
    expected = {"pixels": pixels.float(), "image_features": image, "text_features": unit(torch.cat(text))}
    safetensors.torch.save_file({n: x.contiguous() for n, x in expected.items()}, folder / "expected.safetensors")
    print(json.dumps({"torch": torch.__version__, "images": IMAGES, "prompts": len(tokens)}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
