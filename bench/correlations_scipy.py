"""One measurement for correlations.mjs: SRCC and KRCC in SciPy. Argument: the folder."""
import json
import pathlib
import sys
import time

import numpy
from scipy.stats import kendalltau, spearmanr


def main(folder: pathlib.Path) -> None:
    quality, mos = (numpy.fromfile(folder / f"{name}.f64") for name in ("quality", "mos"))
    for correlation in (spearmanr, kendalltau):
        correlation(quality[:1000], mos[:1000])  # imports what it needs
    print(json.dumps({"srcc": timed(spearmanr, quality, mos), "krcc": timed(kendalltau, quality, mos)}))


def timed(correlation, quality, mos) -> dict[str, float]:
    started = time.perf_counter()
    value = float(correlation(quality, mos).statistic)
    return {"value": value, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
