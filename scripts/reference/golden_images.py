"""Runs the Python code that an export's README.md has for the golden images, and writes what it drew.

    python3 scripts/reference/golden_images.py    # from the repository's root, with numpy

writes test/fixtures/golden/python.json: the SHA-256 of the code, and of each image's pixels.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy

SIZES = [(224, 224), (224, 256), (256, 256), (231, 263), (288, 224), (300, 260), (384, 384), (230, 1024)]

root = Path(__file__).resolve().parents[2]
notes = (root / "src/export/notes.ts").read_text()
(code,) = re.findall(r"## The golden images.*?\\`\\`\\`python\n(.*?)\\`\\`\\`", notes, re.S)
names = {}
exec(code, names)  # our own file

sha256 = lambda data: hashlib.sha256(data).hexdigest()
images = []
for seed, (rows, cols) in enumerate(SIZES, 1):
    image = names["golden_image"](seed, rows, cols)
    assert image.shape == (rows, cols, 3) and image.dtype == numpy.uint8
    images.append({"seed": seed, "rows": rows, "cols": cols, "pixelsSha256": sha256(image.tobytes())})
out = {
    "madeBy": f"scripts/reference/golden_images.py, Python {sys.version.split()[0]}, numpy {numpy.__version__}",
    "codeSha256": sha256(code.encode()),
    "images": images,
}
(root / "test/fixtures/golden/python.json").write_text(json.dumps(out, indent=2) + "\n")
