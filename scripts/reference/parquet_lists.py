"""Parquet files for test/data/lists/formats, as pyarrow writes them.

    python scripts/reference/parquet_lists.py   (pyarrow 26)

Writes test/fixtures/lists/{metadata,nested}.parquet: the ten rows that the tests' lists have, and rows of structs with
nulls in them, as data sets with images inside hold them.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "lists"

rows = range(10)
listed = pa.table(
    {
        "file_name": [f"images/p{i}.jpg" for i in rows],
        "mos": [1.25 + 0.375 * i for i in rows],
        "mos_std": [0.4 + 0.01 * i for i in rows],
        "views": pa.array(list(rows), pa.int64()),
    }
)
image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
nested = pa.table(
    {
        "image": pa.array([{"bytes": b"x", "path": "images/p0.jpg"}, None, {"bytes": None, "path": None}], image),
        "mos": pa.array([1.5, None, 2.5]),
    }
)
OUT.mkdir(parents=True, exist_ok=True)
pq.write_table(listed, OUT / "metadata.parquet", compression="snappy")
pq.write_table(listed, OUT / "metadata-gzip.parquet", compression="gzip")
pq.write_table(nested, OUT / "nested.parquet")
