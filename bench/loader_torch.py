"""The loader's work in PyTorch: a DataLoader whose workers decode with PIL, cut three windows, flip and normalize.

    python loader_torch.py FOLDER WORKERS IMAGES BATCH FLOAT

FOLDER holds the pictures; FLOAT is "worker" or "main": where bytes become normalized floats. Prints JSON: seconds,
crops, and one number of the first batch, by which the floats can be seen to be there.
"""

import json
import random
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

WINDOW, CROPS = 224, 3
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)


def positions(side, stride):
    return (side - WINDOW) // stride + 1


def normalized(crops):
    """[..., 3, 224, 224] bytes to floats."""
    return crops.float().div_(255).sub_(MEAN).div_(STD)


class Pictures(Dataset):
    def __init__(self, files, images, is_float):
        self.files, self.images, self.is_float = files, images, is_float

    def __len__(self):
        return self.images

    def __getitem__(self, index):
        draw = random.Random(index)
        image = Image.open(self.files[index % len(self.files)]).convert("RGB")
        shorter = min(image.size)
        if shorter > 768:
            image = image.resize([side * 768 // shorter for side in image.size], Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image))  # [rows, cols, 3]
        rows, cols = pixels.shape[:2]
        stride = 48 if max(rows, cols) >= 1024 else 32
        is_flipped = draw.random() < 0.5
        crops = torch.empty(CROPS, 3, WINDOW, WINDOW, dtype=torch.uint8)
        for i in range(CROPS):
            top = draw.randrange(positions(rows, stride)) * stride
            left = draw.randrange(positions(cols, stride)) * stride
            crop = pixels[top : top + WINDOW, left : left + WINDOW]
            crops[i] = (crop.flip(1) if is_flipped else crop).permute(2, 0, 1)
        return normalized(crops) if self.is_float else crops


def main():
    folder, workers, images, batch, where = sys.argv[1:]
    torch.set_num_threads(1 if where == "worker" else 2)
    files = sorted(str(file) for file in Path(folder).iterdir())
    data = Pictures(files, int(images), where == "worker")
    loader = DataLoader(data, batch_size=int(batch), num_workers=int(workers))
    for _ in range(2):  # the first round warms up: page cache, allocators
        started, cpu, crops, total = time.perf_counter(), cpu_seconds(), 0, None
        for tensors in loader:
            pixels = tensors.view(-1, 3, WINDOW, WINDOW)
            pixels = pixels if where == "worker" else normalized(pixels)
            crops += len(pixels)
            total = pixels.flatten()[1000].item() if total is None else total
        result = {"seconds": time.perf_counter() - started, "cpuSeconds": cpu_seconds() - cpu, "crops": crops, "sum": total}
    print(json.dumps(result))


def cpu_seconds():
    """Of this process and of the workers that have ended, which they have after each round."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    main()
