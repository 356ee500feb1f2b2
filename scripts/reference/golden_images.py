"""Runs the Python code in the README.md of an ONNX export that draws the golden images and cuts their crops.

    npx liqe export --checkpoint CHECKPOINT --format onnx --out EXPORT    # any checkpoint: the code is the same
    python3 scripts/reference/golden_images.py EXPORT/onnx    # from the repository's root, with numpy and pillow

writes test/fixtures/golden/python.json: the SHA-256 of both pieces of code, and of each image's pixels and crops.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy
import PIL
from PIL import Image

SIZES = [(224, 224), (224, 256), (256, 256), (231, 263), (288, 224), (300, 260), (384, 384), (230, 1024), (1200, 900)]

root = Path(__file__).resolve().parents[2]
readme = (Path(sys.argv[1]) / "README.md").read_text()
(code,) = re.findall(r"## The golden images.*?```python\n(.*?)```", readme, re.S)
(crops_code,) = re.findall(r"(def crops_of.*?)\n\n", readme, re.S)
names = {"np": numpy, "Image": Image}
exec(code, names)  # our own file
exec(crops_code, names)

sha256 = lambda data: hashlib.sha256(data).hexdigest()
images = []
for seed, (rows, cols) in enumerate(SIZES, 1):
    image = names["golden_image"](seed, rows, cols)
    assert image.shape == (rows, cols, 3) and image.dtype == numpy.uint8
    crops = names["crops_of"](Image.fromarray(image))
    assert crops.dtype == numpy.float32
    hashes = {"pixelsSha256": sha256(image.tobytes()), "cropsSha256": sha256(crops.tobytes())}
    images.append({"seed": seed, "rows": rows, "cols": cols, **hashes})
out = {
    "madeBy": f"scripts/reference/golden_images.py, Python {sys.version.split()[0]}, numpy {numpy.__version__}, "
    f"Pillow {PIL.__version__}",
    "codeSha256": sha256(code.encode()),
    "cropsCodeSha256": sha256(crops_code.encode()),
    "images": images,
}
(root / "test/fixtures/golden/python.json").write_text(json.dumps(out, indent=2) + "\n")
