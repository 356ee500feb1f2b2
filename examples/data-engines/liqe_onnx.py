"""Scores encoded photographs by the model of `liqe export --format onnx`. One file, which any engine can send to its workers."""
import io
import json

import numpy as np
import onnxruntime
from PIL import Image

COLUMNS = ("quality", "scene", "distortion", "error")


class Scorer:
    """One ONNX session: make one a worker, not one a batch."""

    def __init__(self, model: str | bytes, threads: int = 1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # the engine runs a worker for each core
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        about = json.loads(self.session.get_modelmeta().custom_metadata_map["liqe"])
        self.window = about["preprocessing"]["window"]
        self.labels = {axis["axis"]: axis["labels"] for axis in about["prompts"]["axes"]}
        self.outputs = ["quality", *(name for name in ("scene", "distortion") if name in self.labels)]

    def score(self, content: bytes) -> dict:
        """Row of `COLUMNS`: quality from 1 to 5 and labels, or what is wrong with the file."""
        row = dict.fromkeys(COLUMNS)
        try:
            pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        except Exception as error:  # Pillow's decoders raise many kinds; a broken file must not end the job
            return {**row, "error": f"{type(error).__name__}: {error}"}
        if min(pixels.shape[:2]) < self.window:
            return {**row, "error": f"{pixels.shape[1]} x {pixels.shape[0]} pixels, smaller than {self.window} on a side"}
        quality, *others = self.session.run(self.outputs, {"image": pixels})
        row["quality"] = float(quality)
        for name, probabilities in zip(self.outputs[1:], others):
            row[name] = self.labels[name][int(np.argmax(probabilities))]
        return row
