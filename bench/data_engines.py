"""Seconds of processors for each image of `liqe predict`, Apache Spark and Ray Data, on the same photographs and model.

    npx liqe export --checkpoint models/liqe-small --format onnx --out export
    PYTHON bench/data_engines.py export/onnx/model-image.onnx [--few 8] [--many 72]

PYTHON is one that has what examples/data-engines/README.md installs. Each program scores a few and many photographs; what
the many cost above the few is the images', the rest starting. Seconds of processors are of the program and all that it
starts, as the operating system counts them when they end: other work on the machine changes them little.
"""
import argparse
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import pyspark

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENGINES = os.path.join(ROOT, "examples", "data-engines")
PHOTOS = os.path.join(ROOT, "examples", "clive-sample", "Images")
PR_SET_CHILD_SUBREAPER = 36

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--few", type=int, default=8)
parser.add_argument("--many", type=int, default=72)
options = parser.parse_args()
model = os.path.abspath(options.model)


def commands(photos, out):
    spark = os.path.join(os.path.dirname(pyspark.__file__), "bin", "spark-submit")
    module, script = (os.path.join(ENGINES, name) for name in ("liqe_onnx.py", "score_spark.py"))
    liqe = ["node", os.path.join(ROOT, "bin", "liqe.js"), "predict", photos]
    return {
        "liqe predict": [*liqe, "--checkpoint", os.path.join(ROOT, "models", "liqe-small"), "--out", f"{out}.parquet"],
        "Apache Spark, local[2]": [spark, "--master", "local[2]", "--py-files", module, script, model, photos, out],
        "Ray Data": [sys.executable, os.path.join(ENGINES, "score_ray.py"), model, photos, out],
    }


def measure(command, folder):
    """Seconds of the clock and of processors, of the program and of whatever it leaves behind."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    own = {"PYSPARK_PYTHON": sys.executable, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONDONTWRITEBYTECODE": "1", "HOME": folder}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # The engine's folder is below the user's cache
    own["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    subprocess.run(command, env={**os.environ, **own}, check=True, **quiet)
    seconds = time.monotonic() - started
    while True:  # orphans come to this process, and end
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
counts = (options.few, options.many)
with tempfile.TemporaryDirectory(prefix="liqe-bench-") as folder:
    found = {}
    for count in counts:
        photos = os.path.join(folder, f"photos-{count}")
        os.mkdir(photos)
        for name in sorted(os.listdir(PHOTOS))[:count]:
            shutil.copy(os.path.join(PHOTOS, name), photos)
        for name, command in commands(photos, os.path.join(folder, f"scores-{count}")).items():
            found.setdefault(name, []).append(measure(command, folder))
            print(f"{name}, {count} images: %.1f s, %.1f s of processors" % found[name][-1], file=sys.stderr, flush=True)
print("| | s of processors an image | images/s a core | s of processors to start |\n| --- | --- | --- | --- |")
for name, ((_, few), (_, many)) in found.items():
    each = (many - few) / (options.many - options.few)
    print(f"| {name} | {each:.3f} | {1 / each:.1f} | {few - options.few * each:.1f} |")
