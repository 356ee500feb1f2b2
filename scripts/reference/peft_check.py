"""Loads a checkpoint's adapters with PEFT and writes the weights that it merges them into.

    python -P scripts/reference/peft_check.py BASE.safetensors CHECKPOINT MERGED.safetensors

BASE holds transformers' names, with heads of 64 or one head in each tower. Needs torch, transformers, peft and safetensors.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel

base, checkpoint, merged = sys.argv[1:]
weights = load_file(base)


def tower(prefix):
    hidden, width = weights[f"{prefix}.encoder.layers.0.mlp.fc1.weight"].shape
    layers = 1 + max(int(name.split(".")[3]) for name in weights if name.startswith(f"{prefix}.encoder.layers."))
    return {
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // 64),
    }


patch = weights["vision_model.embeddings.patch_embedding.weight"].shape[-1]
positions = weights["vision_model.embeddings.position_embedding.weight"].shape[0]
vocabulary = weights["text_model.embeddings.token_embedding.weight"].shape[0]
context = weights["text_model.embeddings.position_embedding.weight"].shape[0]
config = CLIPConfig(
    vision_config={**tower("vision_model"), "patch_size": patch, "image_size": patch * round((positions - 1) ** 0.5)},
    text_config={**tower("text_model"), "vocab_size": vocabulary, "max_position_embeddings": context},
    projection_dim=weights["text_projection.weight"].shape[0],
)
model = CLIPModel(config)
missing, unexpected = model.load_state_dict(weights, strict=False)
assert not unexpected and all("position_ids" in name for name in missing), (missing, unexpected)

with tempfile.TemporaryDirectory() as folder:
    shutil.copy(Path(checkpoint) / "adapter_config.json", folder)
    shutil.copy(Path(checkpoint) / "adapter.safetensors", Path(folder) / "adapter_model.safetensors")
    adapted = PeftModel.from_pretrained(model, folder)
loaded = {name: value for name, value in adapted.state_dict().items() if ".lora_" in name}
assert len(loaded) == len(load_file(Path(checkpoint) / "adapter.safetensors")), "PEFT has other adapters than the file"
assert all(value.abs().sum() > 0 for value in loaded.values()), "PEFT left adapters at their start"
state = {name: value.contiguous() for name, value in adapted.merge_and_unload().state_dict().items()}
save_file(state, merged)
