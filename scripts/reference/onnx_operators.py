"""Versions of ONNX's operators, for test/export/onnx.test.ts.

    pip install onnx
    python3 scripts/reference/onnx_operators.py    # from the repository's root

writes test/fixtures/golden/onnxOperators.json: of each operator of ONNX's own domain in set 17 the set that it came with, its
attributes, and its least and largest number of inputs.
"""

import json
from pathlib import Path

import onnx

SET = 17

operators = {}
for schema in onnx.defs.get_all_schemas_with_history():
    if schema.domain != "":
        continue
    entry = operators.setdefault(schema.name, {"first": schema.since_version, "newest": 0})
    entry["first"] = min(entry["first"], schema.since_version)
    if entry["newest"] < schema.since_version <= SET and not schema.deprecated:
        inputs = [schema.min_input, min(schema.max_input, 1000)]
        entry.update(newest=schema.since_version, attributes=sorted(schema.attributes), inputs=inputs)
out = {
    "madeBy": f"scripts/reference/onnx_operators.py, onnx {onnx.__version__}",
    "set": SET,
    "operators": {
        name: {key: entry[key] for key in ("first", "attributes", "inputs")}
        for name, entry in sorted(operators.items())
        if entry["newest"] > 0
    },
}
root = Path(__file__).resolve().parents[2]
(root / "test/fixtures/golden/onnxOperators.json").write_text(json.dumps(out) + "\n")
