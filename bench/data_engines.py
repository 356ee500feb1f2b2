"""Seconds of a processor for each image: `liqe predict`, and the scorer that Apache Spark and Ray Data run in each worker.

    npx liqe export --checkpoint models/liqe-small --format onnx --out export
    PYTHON bench/data_engines.py export/onnx/model-image.onnx [--few 8] [--many 72]

PYTHON is one that has what examples/data-engines/README.md installs. `predict` scores a few and many photographs; what the
many cost above the few is the images', the rest starting. The scorer is warm and reads from memory. What an engine itself
costs, its start and its passing of rows, is in neither figure. Other work on the machine changes processor time little.
"""
import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PHOTOS = os.path.join(ROOT, "examples", "clive-sample", "Images")
sys.path.insert(0, os.path.join(ROOT, "examples", "data-engines"))
from liqe_onnx import Scorer

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--few", type=int, default=8)
parser.add_argument("--many", type=int, default=72)
options = parser.parse_args()
names = sorted(os.listdir(PHOTOS))[: options.many]


def of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def of_predict(count):
    """Seconds of processors of a whole call."""
    with tempfile.TemporaryDirectory(prefix="liqe-bench-") as folder:
        for name in names[:count]:
            shutil.copy(os.path.join(PHOTOS, name), folder)
        model = ["--checkpoint", os.path.join(ROOT, "models", "liqe-small")]
        before = of_children()
        subprocess.run(
            ["node", os.path.join(ROOT, "bin", "liqe.js"), "predict", folder, *model, "--json"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return of_children() - before


def of_scorer():
    """Seconds of a processor an image."""
    scorer = Scorer(options.model)
    contents = [open(os.path.join(PHOTOS, name), "rb").read() for name in names]
    scorer.score(contents[0])
    before = time.process_time()
    for content in contents:
        scorer.score(content)
    return (time.process_time() - before) / len(contents)


few, many = of_predict(options.few), of_predict(options.many)
found = {"liqe predict": (many - few) / (options.many - options.few), "scorer of Spark and Ray": of_scorer()}
print("| | s of a processor an image | images/s a core |\n| --- | --- | --- |")
for name, seconds in found.items():
    print(f"| {name} | {seconds:.3f} | {1 / seconds:.1f} |")
