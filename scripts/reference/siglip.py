"""Features and gradients of small SigLIPs, by transformers' `SiglipModel` in float64, and the tokens of their prompts.

    python -P scripts/reference/siglip.py > test/fixtures/weights/siglips.json

Needs torch, transformers, tokenizers and sentencepiece. Weights and fingerprints are those of encoder_kinds.py, under
transformers' names; gradients have the names and layouts of `parameterShapes`. The tokenizers are trained here: a unigram
model as SigLIP's, and byte pairs with byte fallback, as Gemma's, which SigLIP 2 has.
"""

import base64
import io
import json
import pathlib
import platform
import re
import sys
import tempfile

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

sys.path.append(str(pathlib.Path(__file__).parent))  # after Python's own: statistics.py is here, too
from encoder_kinds import CROPS, fingerprint, uniform, weight  # noqa: E402

CONTEXT = 64
TEXTS = [f"a photo with {quality} quality" for quality in ("bad", "poor", "fair", "good", "perfect")]
OTHERS = ["A photo, with Still_life: GOOD   quality!", "quadratic wording", "naïve 日本 café"]
CORPUS = TEXTS * 3 + [
    "a photo of a human with blur artifacts", "the quality of a landscape at night is perfect", "noise and color", "a plant",
    "the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs", "poor words are wordy",
]

# States that small make the constant inside of the norms' square root as large as their variance
SMALL, SMALL_FACTOR = re.compile(r"(patch|position|token)_embedding|out_proj|fc2"), 2.0**-7

# Heads' widths are the published ones: width and heads of the image tower, of the text tower, ratio of the feed-forward
# layers, image, patch, factor of what adds to states, tokenizer
FAMILIES = {
    "SigLIP B/16": ((128, 2), (128, 2), 4, 48, 16, 1, "unigram"),
    "SigLIP so400m/14": ((144, 2), (144, 2), 4304 / 1152, 58, 14, 1, "unigram"),
    "SigLIP 2 g-opt/16": ((192, 2), (144, 2), 4, 32, 16, 1, "byte pairs"),
    "SigLIP B/16 with small states": ((128, 2), (128, 2), 4, 32, 16, SMALL_FACTOR, "unigram"),
}


def unigram(folder, rule="identity"):
    """A unigram model with SigLIP's special tokens."""
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=buffer, vocab_size=96, model_type="unigram", minloglevel=2,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name=rule, hard_vocab_limit=False,
    )
    (folder / "spiece.model").write_bytes(buffer.getvalue())
    return transformers.SiglipTokenizer(str(folder / "spiece.model"))


def byte_pairs(folder):
    """Byte pairs in the form of Gemma's tokenizer.json."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=380, max_token_length=6, special_tokens=special + bytes_, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    # Bytes are pieces of the vocabulary, not strings to be found in a text
    parts = json.loads(tokenizer.to_str())
    parts["added_tokens"] = [token for token in parts["added_tokens"] if token["content"] in special]
    parts["post_processor"] = json.loads(processors.TemplateProcessing("$A <eos>", special_tokens=[("<eos>", 1)]).__getstate__())
    (folder / "tokenizer.json").write_text(json.dumps(parts, ensure_ascii=False))
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def tokens_by(tokenizer, texts):
    """Prompts in lower case, ended and padded as the models were trained."""
    if isinstance(tokenizer, Tokenizer):
        found = [tokenizer.encode(text.lower()).ids for text in texts]
        return [ids + [0] * (CONTEXT - len(ids)) for ids in found]
    return tokenizer(texts, padding="max_length", max_length=CONTEXT)["input_ids"]


def pixels(image):
    bytes_ = np.floor((uniform("pixels", CROPS * image * image * 3) + 1) * 128).reshape(CROPS, image, image, 3)
    return ((torch.tensor(bytes_) / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)


def own_name(name):
    """Name and part of `parameterShapes` that a tensor of transformers' is."""
    for tower, own in (("vision_model", "visual.transformer"), ("text_model", "transformer")):
        name = re.sub(rf"^{tower}\.encoder\.layers\.", f"{own}.resblocks.", name)
    pairs = (
        ("vision_model.embeddings.patch_embedding", "visual.conv1"), ("self_attn.", "attn."), ("mlp.fc1", "mlp.c_fc"),
        ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"), ("mlp.fc2", "mlp.c_proj"),
        ("vision_model.post_layernorm", "visual.ln_post"), ("vision_model.head.attention", "visual.attnpool.attn"),
        ("vision_model.head.layernorm", "visual.attnpool.ln_mlp"), ("vision_model.head", "visual.attnpool"),
        ("text_model.embeddings.token_embedding", "token_embedding"), ("text_model.final_layer_norm", "ln_final"),
        ("text_model.embeddings.position_embedding.weight", "positional_embedding"), ("layer_norm", "ln_"),
        ("text_model.head.weight", "text_projection"), ("text_model.head.bias", "text_projection_bias"),
    )
    for theirs, ours in pairs:
        name = name.replace(theirs, ours)
    part = re.search(r"\.([qkv])_proj\.(weight|bias)$", name)
    return (name[: part.start()] + f".in_proj_{part[2]}", "qkv".index(part[1])) if part else (name, 0)


def gradients_of(model):
    parts = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            continue  # scale and bias of logits
        own, part = own_name(name)
        gradient = parameter.grad.T if own == "text_projection" else parameter.grad
        parts.setdefault(own, {})[part] = gradient
    whole = {name: torch.cat([found[i] for i in sorted(found)]) for name, found in parts.items()}
    return {n: {"norm": float(g.norm()), "products": []} if n == "token_embedding.weight" else fingerprint(n, g) for n, g in whole.items()}


def family(vision, text, ratio, image, patch, factor, tokenizer, vocabulary):
    def size(width, heads, layers):
        sizes = {"hidden_size": width, "num_attention_heads": heads, "num_hidden_layers": layers}
        return sizes | {"intermediate_size": int(width * ratio)}

    config = transformers.SiglipConfig(
        vision_config=size(*vision, 2) | {"image_size": image, "patch_size": patch},
        text_config=size(*text, 1) | {"vocab_size": vocabulary, "max_position_embeddings": CONTEXT, "projection_size": vision[0]},
    )
    model = transformers.SiglipModel(config).double().eval()
    state = {n: v for n, v in model.state_dict().items() if not n.endswith("position_ids")}
    model.load_state_dict({n: own_weight(n, list(v.shape), factor) for n, v in state.items()}, strict=False)
    seen = image // patch * patch  # the convolution leaves the rest out
    padded = F.pad(pixels(seen), (0, image - seen, 0, image - seen), value=1.0)
    images = F.normalize(model.vision_model(pixel_values=padded).pooler_output, dim=-1)
    texts = F.normalize(model.text_model(input_ids=torch.tensor(tokens_by(tokenizer, TEXTS))).pooler_output, dim=-1)
    loss = sum((f * torch.tensor(uniform(n, f.numel())).view_as(f)).sum() for n, f in (("a", images), ("b", texts)))
    loss.backward()
    processor = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": True, "size": {"height": image, "width": image}}
    named = "GemmaTokenizer" if isinstance(tokenizer, Tokenizer) else "SiglipTokenizer"
    return {
        "files": {
            "config.json": config.to_dict(),
            "preprocessor_config.json": processor,
            "tokenizer_config.json": {"tokenizer_class": named},
        },
        "weights": "model.safetensors",
        "factor": factor,
        "shapes": {n: list(v.shape) for n, v in state.items()},
        "imageFeatures": images.flatten().tolist(),
        "textFeatures": texts.flatten().tolist(),
        "gradients": gradients_of(model),
    }


def own_weight(name, shape, factor):
    return weight(name, shape).view(shape) * (factor if SMALL.search(name) else 1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        found = {"unigram": unigram(folder), "byte pairs": byte_pairs(folder)}
        sizes = {"unigram": found["unigram"].vocab_size, "byte pairs": found["byte pairs"].get_vocab_size()}
        files = {"unigram": "spiece.model", "byte pairs": "tokenizer.json"}
        tokenizers_ = {
            kind: {
                "file": files[kind],
                "base64": base64.b64encode((folder / files[kind]).read_bytes()).decode(),
                "texts": TEXTS + OTHERS,
                "tokens": tokens_by(tokenizer, TEXTS + OTHERS),
            }
            for kind, tokenizer in found.items()
        }
    families = {
        name: family(*rest, found[kind], sizes[kind]) | {"tokenizer": kind} for name, (*rest, kind) in FAMILIES.items()
    }
    packages = (torch, transformers, sentencepiece)
    versions = {"python": platform.python_version()} | {package.__name__: package.__version__ for package in packages}
    made = {"madeBy": "scripts/reference/siglip.py", "versions": versions, "crops": CROPS, "tokenizers": tokenizers_}
    print(json.dumps(made | {"families": families}, default=str))
