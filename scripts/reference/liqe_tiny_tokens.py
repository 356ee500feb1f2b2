"""Tokens of odd texts by the tokenizer of transformers, for test/model/text/tokenizer.test.ts.

    python -P scripts/reference/liqe_tiny_tokens.py > test/fixtures/liqe-tiny/tokens.json
"""
import json
import pathlib
import sys

import transformers

sys.path.append(str(pathlib.Path(__file__).parent))
from liqe_tiny import clip_tokenizer  # noqa: E402

TEXTS = [
    "Hello, World!",
    "it's  a   café naïve",
    "cafe\u0301 in decomposed form",
    "constructor __proto__ toString hasOwnProperty",
    "日本語 テキスト",
    "12345 a1b2",
    "emoji 😀👍🏽 !!!",
    "don't we'll I'm they've you'd",
    "ÜBER-Straße №5",
    "x" * 30,
    "",
    "  ",
    "ＡＢＣ ﬁ ½",
    " tab\tand\nnewline",
    "under_score still_life",
    "a.b,c;d--e",
]

if __name__ == "__main__":
    tokenizer = clip_tokenizer()
    cases = [{"text": text, "tokens": tokenizer(text)["input_ids"]} for text in TEXTS]
    made_by = f"scripts/reference/liqe_tiny_tokens.py, transformers {transformers.__version__}"
    print(json.dumps({"madeBy": made_by, "cases": cases}, indent=1))
