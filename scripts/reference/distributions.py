"""MATLAB and Excel files in the forms of LIVE's, CLIVE's, CSIQ's, SPAQ's and BID's distributions, with made-up scores.

Run:  pip install scipy numpy openpyxl;  python -P scripts/reference/distributions.py
Out:  test/fixtures/distributions/*.{mat,xlsx} and test/fixtures/distributions/values.json
"""

import json
from pathlib import Path

import numpy as np
import openpyxl
import scipy
import scipy.io

OUT = Path(__file__).resolve().parents[2] / "test/fixtures/distributions"
LIVE_COUNTS = [227, 233, 174, 174, 174]  # jp2k, jpeg, wn, gblur, fastfading


def cells(texts, shape):
    array = np.empty(shape, dtype=object)
    array.flat = texts
    return array


def matlab():
    scipy.io.savemat(
        OUT / "kinds.mat",
        {
            "doubles": np.array([[1.5, -2.25, 1e300], [0.0, 3.0, np.pi]]),
            "singles": np.array([[0.5, -0.125]], dtype=np.float32),
            "bytes": np.array([[0, 200, 255]], dtype=np.uint8),
            "flags": np.array([[True, False]]),
            "integers": np.array([[-7, 70000]], dtype=np.int32),
            "text": "hello",
            "words": cells(["a", "longer than eight", ""], (3, 1)),
        },
    )
    total = sum(LIVE_COUNTS)
    dmos = np.round(np.linspace(-3, 111, total))[None, :]
    orgs = (np.arange(total) % 5 == 0).astype(np.uint8)[None, :]
    deviations = np.full((1, total), 1.5)
    scores = {"dmos_new": dmos, "dmos_std": deviations, "orgs": orgs}
    scipy.io.savemat(OUT / "dmos_realigned.mat", scores, do_compression=True)
    names = [f"ref{i % 29}.bmp" for i in range(total)]
    scipy.io.savemat(OUT / "refnames_all.mat", {"refnames_all": cells(names, (1, total))}, do_compression=True)
    names = [f"t{i}.bmp" for i in range(1, 8)] + ["3.bmp", "10.JPG", "11.bmp", "12.bmp"]
    scipy.io.savemat(OUT / "AllImages_release.mat", {"AllImages_release": cells(names, (11, 1))})
    scipy.io.savemat(OUT / "AllMOS_release.mat", {"AllMOS_release": np.arange(11)[None, :] * 7.5})
    scipy.io.savemat(OUT / "AllStdDev_release.mat", {"AllStdDev_release": np.arange(11)[None, :] + 10.0})
    return {"scipy": scipy.__version__, "dmos": dmos[0].tolist(), "orgs": orgs[0].tolist()}


def excel():
    """CSIQ's sheet has its header in row 4 and column D; "1600" is a number there."""
    book = openpyxl.Workbook()
    book.active.title = "all_by_distortion"
    sheet = book.create_sheet("all_by_image")
    sheet["D1"] = "DMOS of all images"
    rows = [("image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos")]
    for image in (1600, "boston", "cactus"):
        for index, kind in enumerate(("noise", "blur", "contrast", "fnoise", "jpeg", "jpeg 2000"), 1):
            rows += [(image, index, kind, level, 0.0625, level / 8) for level in (1, 2)]
        rows.append((None,) * 6)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            sheet.cell(4 + i, 4 + j, value)
    book.save(OUT / "csiq.DMOS.xlsx")

    book = openpyxl.Workbook()
    book.active.append(["Image name", "MOS", "Brightness", "Colorfulness", "Contrast", "Noisiness", "Sharpness"])
    for i in range(1, 5):
        book.active.append([f"0000{i}.jpg", 20.5 * i, 50, 50, 50, 50, 50])
    book.save(OUT / "spaq-scores.xlsx")

    book = openpyxl.Workbook()
    scenes = ["Animal", "Cityscape", "Human", "Indoor scene", "Landscape", "Night scene", "Plant", "Still-life", "Others"]
    book.active.append(["Image name", *scenes])
    for i, marked in enumerate([{0}, {3, 7}, {1, 2, 5, 6}, set()], 1):
        book.active.append([f"0000{i}.jpg", *[1 if j in marked else 0 for j in range(9)]])
    book.save(OUT / "spaq-scenes.xlsx")

    book = openpyxl.Workbook()
    book.active.title = "Plan1"
    book.active.append(["Image Number", "Average Subjective Grade", "std"])
    for number in (1, 4, 456, 7):
        book.active.append([number, number / 128, 0.5])
    book.save(OUT / "DatabaseGrades.xlsx")
    return {"openpyxl": openpyxl.__version__}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    values = {**matlab(), **excel(), "numpy": np.__version__, "madeBy": "scripts/reference/distributions.py"}
    (OUT / "values.json").write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
