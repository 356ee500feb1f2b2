import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { measureDatabases, type MeasureOptions } from "../../src/evaluate/evaluate.js";
import { buildResults, type Results, type ResultsOptions } from "../../src/evaluate/results/results.js";
import type { EvaluatedDatabase, Prediction } from "../../src/evaluate/scoring/predictions.js";
import type { TaskAxis } from "../../src/model/prompts/promptGrid.js";

/** Two levels, two scenes, three distortions: twelve prompts. */
export const AXES: readonly TaskAxis[] = [
  { axis: "quality", labels: ["bad", "good"] },
  { axis: "scene", labels: ["animal", "night"] },
  { axis: "distortion", labels: ["blur", "noise", "other"] },
];

export const LABELS = { scenes: ["animal", "night"], distortions: ["blur", "noise", "other"] };

/** A prediction of an image of its own, with what a test says of it. */
export function prediction(given: Partial<Prediction> = {}): Prediction {
  return {
    database: "mine",
    image: "a.png",
    file: "/mine/a.png",
    mos: 50,
    mosStd: null,
    quality: 3,
    scene: "animal",
    distortion: "blur",
    sceneLabels: [],
    distortionLabel: null,
    probabilities: { quality: [0.5, 0.5], scene: [0.7, 0.3], distortion: [0.6, 0.3, 0.1] },
    content: null,
    crops: { rows: 224, cols: 224, window: 224, scores: [{ top: 0, left: 0, quality: 3 }] },
    ...given,
  };
}

/** Results of databases that have their predictions. */
export function measuredResults(
  evaluated: readonly EvaluatedDatabase[],
  options: MeasureOptions & ResultsOptions,
): Results {
  return buildResults(measureDatabases(evaluated, options), options);
}

/**
 * Compares a whole text with a file of test/fixtures/evaluate. Where a text is meant to change, `npx vitest run -u` with the
 * test's file writes it anew.
 */
export async function expectedText(text: string, file: string): Promise<void> {
  await expect(text).toMatchFileSnapshot(fileURLToPath(new URL(`../fixtures/evaluate/${file}`, import.meta.url)));
}

/**
 * The same of a page: without style sheet, script and the insides of charts, which are not text, and with spaces where
 * browsers show one.
 */
export async function expectedPage(page: string, file: string): Promise<void> {
  const text = page
    .replace(/<style>[^]*?<\/style>/g, "<style></style>")
    .replace(/<script>[^]*?<\/script>/g, "<script></script>")
    .replace(/sha256-[\w+/=]+/g, "sha256-")
    .replace(/(<svg role="img"[^>]*>)[^]*?(<g class="points">|<\/svg>)/g, "$1$2")
    .replace(/base64,[\w+/=]+/g, "base64,")
    .replace(/\s+/g, " ")
    .replace(
      / ?(<\/?(?:p|div|li|ul|tr|h\d|section|figure|figcaption|option|circle|main|meta|label|body|dt|table)\b)/g,
      "\n$1",
    );
  await expectedText(`${text}\n`, file);
}
