"""Four AdamW steps of the toy CLIP under the released recipe's losses, for configs/paper.yaml.

    python -P scripts/reference/liqe_tiny_paper.py FOLDER test/fixtures/liqe-tiny/paper.json

FOLDER is one that liqe_tiny.py made. As there, but the total is fidelity throughout: quality (sign), scene (mean over
the classes) and distortion divided by the number of classes. Of each tensor every k-th value is kept, 128 at most.
"""
import json
import pathlib
import sys

import safetensors.torch
import torch
import transformers

sys.path.append(str(pathlib.Path(__file__).parent))
import liqe_tiny  # noqa: E402

MOST_KEPT = 128
PADDING = 0  # the token behind a prompt's end: no feature depends on it


def main(folder: pathlib.Path, target: pathlib.Path) -> None:
    model = liqe_tiny.CLIPModel(liqe_tiny.config_of(liqe_tiny.SIZES)).eval()
    model.load_state_dict(safetensors.torch.load_file(folder / "weights-hf.safetensors"), strict=False)
    model.logit_scale.requires_grad_(False)
    inputs = safetensors.torch.load_file(folder / "inputs.safetensors")
    liqe_tiny.total_of = released_total
    trained = [x for x in model.parameters() if x.requires_grad]
    rates, totals = liqe_tiny.train(model, trained, inputs)
    used = inputs["used_token_ids"][inputs["used_token_ids"] != PADDING]
    after = liqe_tiny.named("after4", {n: x.detach() for n, x in model.named_parameters()}, used)
    kept = {name.removeprefix("after4."): sample(x) for name, x in after.items() if not name.endswith("logit_scale")}
    made_by = "scripts/reference/liqe_tiny_paper.py"
    versions = dict(torch=torch.__version__, transformers=transformers.__version__)
    meta = dict(madeBy=made_by, versions=versions, lrs=rates, totals=totals, after4=kept)
    target.write_text(json.dumps(meta) + "\n")


def released_total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    distortion = losses["distortion_fidelity"] / len(liqe_tiny.DISTORTIONS)
    return losses["quality_binary"] + losses["scene_fidelity"] + distortion


def sample(x: torch.Tensor) -> dict:
    flat = x.flatten()
    stride = max(1, -(-len(flat) // MOST_KEPT))
    return dict(stride=stride, values=flat[::stride].tolist())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
