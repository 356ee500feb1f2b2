"""Packs a folder made by liqe_tiny.py into test/fixtures/liqe-tiny, small enough for a repository.

    python scripts/reference/liqe_tiny_pack.py FOLDER test/fixtures/liqe-tiny

What is lost: rows of the token embedding that no prompt uses are zeroed; gradients keep 14 bits of mantissa (relative
error 3e-5); weights after four steps are kept as their movement in steps of 2^-20 (error 5e-7). Everything else is
exact. The three weight files hold the same values, so the values are stored once, as float16, and each file as a
skeleton with holes: test/support/golden.ts fills them.
"""
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tempfile

import numpy as np
import safetensors.numpy
import torch

GRADIENT_BITS = 14
MOVEMENT_STEP = 2.0**-20
MIN_HOLE = 1024  # elements; smaller tensors stay in the skeleton


def main(source: pathlib.Path, target: pathlib.Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    meta = json.loads((source / "meta.json").read_text())
    inputs = safetensors.numpy.load_file(source / "inputs.safetensors")
    expected = safetensors.numpy.load_file(source / "expected.safetensors")
    files = rewrite_weights(source, inputs["used_token_ids"])
    weights = openai_weights(files["weights-openai.pt"])
    meta["madeBy"] = "packed by scripts/reference/liqe_tiny_pack.py; liqe_tiny.py check computes the same values"
    meta["weights"] = punch(files, target)
    meta["before"] = locate(files["weights-openai.pt"])
    (target / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    write_planes(target / "inputs.safetensors.gz", safetensors.numpy.save(inputs))
    rounded = {name: round_expected(name, x, weights, inputs["used_token_ids"]) for name, x in expected.items()}
    write_planes(target / "expected.safetensors.gz", safetensors.numpy.save(dict(rounded.values())))


def rewrite_weights(source: pathlib.Path, used: np.ndarray) -> dict[str, bytes]:
    """The three weight files, with the unused rows of the token embedding zeroed."""
    keep = torch.zeros(49408, 1)
    keep[torch.from_numpy(used).long()] = 1
    scratch = pathlib.Path(tempfile.mkdtemp())
    hf = safetensors.numpy.load_file(source / "weights-hf.safetensors")
    name = "text_model.embeddings.token_embedding.weight"
    hf[name] = np.where(keep.numpy() > 0, hf[name], np.float32(0))  # a product would leave -0
    state = torch.load(source / "weights-openai.pt", weights_only=True)
    state["token_embedding.weight"][keep[:, 0] == 0] = 0
    torch.save(state, scratch / "packed.pt")
    module = torch.jit.load(str(source / "weights-openai-jit.pt"))
    with torch.no_grad():
        module.state_dict()["token_embedding.weight"][keep[:, 0] == 0] = 0
    torch.jit.save(module, str(scratch / "packed-jit.pt"))
    return {
        "weights-hf.safetensors": safetensors.numpy.save(hf),
        "weights-openai.pt": (scratch / "packed.pt").read_bytes(),
        "weights-openai-jit.pt": (scratch / "packed-jit.pt").read_bytes(),
    }


def locate(pt: bytes) -> dict[str, int]:
    """Where in the .pt file each parameter's float16 values stand, so that movements can be added without a reader."""
    state = load_state(pt)
    return {name: pt.index(x.numpy().astype("<f2").tobytes()) for name, x in state.items()}


def openai_weights(pt: bytes) -> dict[str, np.ndarray]:
    return {name: x.float().numpy() for name, x in load_state(pt).items()}


def load_state(pt: bytes) -> dict[str, torch.Tensor]:
    return torch.load(io.BytesIO(pt), weights_only=True)


def punch(files: dict[str, bytes], target: pathlib.Path) -> dict[str, dict]:
    """Writes values.f16.gz and a skeleton of each file; returns where each file's holes are and what fills them."""
    hf = safetensors.numpy.load(files["weights-hf.safetensors"])
    parts = [x for name, x in sorted(hf.items()) if x.size >= MIN_HOLE and "token_embedding" not in name]
    values = np.concatenate([x.ravel() for x in parts]).astype("<f2")
    write_gzip(target / "values.f16.gz", planes(values.tobytes(), 2))
    described = {}
    for name, content in files.items():
        kind = "f32" if name.endswith(".safetensors") else "f16"
        skeleton, holes, start = bytearray(content), [], 0
        for part in parts:
            raw = part.astype("<f4" if kind == "f32" else "<f2").tobytes()
            offset = content.find(raw)
            if offset >= 0:  # projections are transposed in one of the two namings, and stay in the skeleton
                skeleton[offset : offset + len(raw)] = bytes(len(raw))
                holes.append([offset, start, part.size])
            start += part.size
        write_gzip(target / f"{name}.skeleton.gz", bytes(skeleton))
        described[name] = {"kind": kind, "sha256": hashlib.sha256(content).hexdigest(), "holes": holes}
    return described


def round_expected(name: str, x: np.ndarray, weights: dict[str, np.ndarray], used: np.ndarray) -> tuple[str, np.ndarray]:
    if name.startswith("grad.") and name != "grad.global_norm":
        return name, round_mantissa(x)
    if not name.startswith("after4."):
        return name, x
    parameter = name.removeprefix("after4.")
    if parameter == "token_embedding.used_rows":
        before = weights["token_embedding.weight"][used]
    else:
        before = weights[parameter]
    moved = np.round((x.astype("f8") - before) / MOVEMENT_STEP) * MOVEMENT_STEP
    return f"moved4.{parameter}", np.asarray(moved, "f4").reshape(x.shape)


def round_mantissa(x: np.ndarray) -> np.ndarray:
    drop = 23 - GRADIENT_BITS
    bits = np.atleast_1d(x).view("u4").astype("u8")
    return (((bits + (1 << (drop - 1))) >> drop) << drop).astype("u4").view("f4").reshape(x.shape)


def planes(data: bytes, size: int) -> bytes:
    """All first bytes, then all second bytes, ...: exponents compress apart from mantissas."""
    return np.frombuffer(data, "u1").reshape(-1, size).T.tobytes()


def write_planes(path: pathlib.Path, file: bytes) -> None:
    """A safetensors file with its data in four planes; its header as it was."""
    data = 8 + int.from_bytes(file[:8], "little")
    write_gzip(path, file[:data] + planes(file[data:], 4))


def write_gzip(path: pathlib.Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data, 9, mtime=0))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
