import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { decodeImage } from "../../src/data/images/loadImage.js";
import { readResults } from "../../src/evaluate/results/splitSummary.js";
import { exportModel } from "../../src/export/exportModel.js";
import { scoreOfLogits, goldenCrops } from "../../src/export/golden/goldenScores.js";
import { hubFormat } from "../../src/export/hub/hubFormat.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { ModelScorer } from "../../src/model/scorer.js";
import { livelySource, TOY_STEM } from "../support/exports.js";
import { pythonJson, withoutPython } from "../support/python.js";
import { temporaryFolder, TOY_ARCHITECTURE } from "../support/runs.js";

const PHOTOGRAPH = join(PACKAGE_ROOT, "examples", "photos", "coffee.jpg");
const QUICKSTART = join(import.meta.dirname, "../fixtures/quickstart/results.json");
const SKIP = withoutPython("torch", "transformers", "PIL");
const SKIP_CARD = withoutPython("huggingface_hub", "yaml");

type Toy = ReturnType<typeof livelySource>;

async function exportHub({ source, golden }: Toy): Promise<string> {
  const formats = [{ format: hubFormat, dtype: "f32" as const }];
  const [exported] = await exportModel(source, golden, { out: temporaryFolder(), formats, force: false });
  return exported?.folder ?? "";
}

/** Scores of the photograph by this package. */
async function ownScore({ source }: Toy) {
  const { architecture, weights, grid } = source;
  const model = new LiqeModel(weights, grid, { architecture });
  try {
    const scorer = new ModelScorer(model);
    return scoreOfLogits(scorer.logits(goldenCrops(await decodeImage(PHOTOGRAPH), scorer.window)), scorer.axes);
  } finally {
    model.dispose();
  }
}

/** The README's code for PyTorch, with a photograph and JSON. */
function readmeCode(folder: string): string {
  const [, code = ""] =
    /## PyTorch\n\n```python\n([^]*?)```/.exec(readFileSync(join(folder, "README.md"), "utf8")) ?? [];
  return code
    .replace('"photo.jpg"', JSON.stringify(PHOTOGRAPH))
    .replace(/print\((.*)\) {2}#.*/, "import json; print(json.dumps($1))");
}

describe("a hub export in Python", () => {
  it.skipIf(SKIP !== "").each([
    ["CLIP's patches", TOY_ARCHITECTURE],
    ["a hierarchical stem", TOY_STEM],
  ] as const)(
    `is loaded by transformers with %s, and the README's code scores a photograph as we do${SKIP}`,
    async (_, architecture) => {
      const toy = livelySource(architecture);
      const folder = await exportHub(toy);
      const scored = pythonJson(readmeCode(folder), folder) as {
        quality: number;
        probabilities: Record<string, Record<string, number>>;
      }; // by the code
      const own = await ownScore(toy);
      expect(Math.abs(own.quality - 3)).toBeGreaterThan(1e-2); // the middle, which equal logits give
      expect(Math.abs(scored.quality - own.quality)).toBeLessThan(1e-3);
      const scenes = Object.values(scored.probabilities["scene"] ?? {});
      expect(scenes.length).toBe(9);
      scenes.forEach((p, i) => { expect(Math.abs(p - (own.probabilities.scene?.[i] ?? NaN))).toBeLessThan(1e-3); }); // prettier-ignore
    },
  );

  it.skipIf(SKIP !== "")(`is a CLIPModel without a missing tensor${SKIP}`, async () => {
    const folder = await exportHub(livelySource(TOY_ARCHITECTURE));
    const code = `
import json, torch
from transformers import CLIPModel
model, info = CLIPModel.from_pretrained(".", output_loading_info=True)
print(json.dumps({name: sorted(info[name]) for name in ("missing_keys", "unexpected_keys", "mismatched_keys")}))`;
    expect(pythonJson(code, folder)).toEqual({
      missing_keys: [],
      unexpected_keys: ["prompt_features"],
      mismatched_keys: [],
    });
  });

  it.skipIf(SKIP_CARD !== "")(`has a card and results that huggingface_hub reads${SKIP_CARD}`, async () => {
    const toy = livelySource(TOY_ARCHITECTURE);
    const results = await readResults(QUICKSTART);
    const folder = await exportHub({ ...toy, source: { ...toy.source, results } });
    expect(existsSync(join(folder, ".eval_results"))).toBe(true);
    const code = `
import json, yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
card = ModelCard.load("README.md").data
entries = parse_eval_result_entries(yaml.safe_load(open(".eval_results/clive-sample.yaml")))
print(json.dumps({"license": card.license, "card": [[r.dataset_name, r.metric_name, r.metric_value] for r in card.eval_results],
                  "entries": [[e.dataset_id, e.task_id, e.value] for e in entries]}))`;
    const srcc = results.databases[0]?.srcc.value;
    const read = pythonJson(code, folder) as { license: string; card: unknown[]; entries: unknown[] }; // by the code
    expect(read.license).toBe("other");
    expect(read.card).toContainEqual(["clive-sample", "SRCC", srcc]);
    expect(read.entries).toContainEqual(["clive-sample", "srcc", srcc]);
  });
});
