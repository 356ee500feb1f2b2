import type { LiqeScore } from "liqe-train/inference";
import { bars, fillMeter, words } from "./shared/cards.js";
import { element, setText } from "./shared/elements.js";

/** Labels that are listed of an axis; the rest is improbable. */
const LISTED = 3;

/** Fills in the large view with the score of one picture. */
export function showResult(name: string, score: LiqeScore, levels: number): void {
  setText("name", name);
  setText("quality", score.quality.toFixed(2));
  setText("scale", `of 1 (worst) to ${levels} (best)`);
  fillMeter(element("meter", HTMLMeterElement), score.quality, levels);
  const { quality, scene, distortion } = score.probabilities;
  element("quality-levels", HTMLElement).replaceChildren(...bars(Object.entries(quality ?? {}).reverse()));
  showAxis("scene", score.scene, scene);
  showAxis("distortion", score.distortion, distortion);
  setText("json", JSON.stringify({ ...score, logits: undefined }, null, 2)); // a key without a value is left out
}

/** What the prompts do not ask is left out. */
function showAxis(
  axis: "scene" | "distortion",
  label: string | null,
  probabilities: Readonly<Record<string, number>> = {},
): void {
  element(`${axis}-part`, HTMLElement).hidden = label === null;
  setText(axis, words(label ?? ""));
  const sorted = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  element(`${axis}-labels`, HTMLElement).replaceChildren(...bars(sorted.slice(0, LISTED)));
}
