"""Scores a folder of photographs by Ray Data.

    python score_ray.py export/onnx/model-image.onnx photos scores.parquet
"""
import os
import sys

import pyarrow as pa
import ray

from liqe_onnx import Scorer

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("quality", pa.float64()),
        ("scene", pa.string()),
        ("distortion", pa.string()),
        ("error", pa.string()),
    ]
)


class ScoreBatch:
    """One a worker: Ray makes it once, and calls it with batch after batch."""

    def __init__(self, content: bytes):
        self.scorer = Scorer(content)

    def __call__(self, batch: pa.Table) -> pa.Table:
        paths, contents = batch["path"].to_pylist(), batch["bytes"].to_pylist()
        rows = [{"path": path, **self.scorer.score(content)} for path, content in zip(paths, contents)]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


if __name__ == "__main__":
    model, photos, out = sys.argv[1:]
    ray.init()
    with open(model, "rb") as file:
        weights = file.read()  # travels to the workers, which need not share a folder
    workers = int(ray.cluster_resources()["CPU"])
    # The workers hold all processors until the end; what reads and writes must not wait for one
    beside = {"num_cpus": 0}
    images = ray.data.read_binary_files(
        photos,
        include_paths=True,
        file_extensions=["jpg", "jpeg", "png", "webp", "bmp"],
        ray_remote_args=beside,
    )
    scores = images.map_batches(
        ScoreBatch,
        fn_constructor_args=(weights,),
        batch_format="pyarrow",
        batch_size=64,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    scores.write_parquet(os.path.abspath(out), ray_remote_args=beside, mode=ray.data.SaveMode.OVERWRITE)
