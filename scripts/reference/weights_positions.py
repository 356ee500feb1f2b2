"""Interpolated position embeddings by PyTorch, for test/model/weights/resizePositions.test.ts.

    python -P scripts/reference/weights_positions.py > test/fixtures/weights/positions.json
"""
import json

import torch

WIDTH = 2


def case(start: int, end: int) -> dict:
    table = torch.randn(1 + start * start, WIDTH)
    grid = table[1:].reshape(1, start, start, WIDTH).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(grid, size=(end, end), mode="bicubic", align_corners=False)
    rows = resized.permute(0, 2, 3, 1).reshape(end * end, WIDTH)
    return {"from": start, "to": end, "values": table.flatten().tolist(), "resized": torch.cat([table[:1], rows]).flatten().tolist()}


if __name__ == "__main__":
    torch.manual_seed(1)
    made_by = f"scripts/reference/weights_positions.py, torch {torch.__version__}"
    print(json.dumps({"madeBy": made_by, "cases": [case(3, 5), case(4, 2), case(2, 3), case(1, 2)]}))
