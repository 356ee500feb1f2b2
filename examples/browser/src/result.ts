import type { LiqeScore } from "liqe-train/inference";
import { element, setText } from "./elements";

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

/** In thirds, the best at the top: browsers color the bar by them. */
export function fillMeter(meter: HTMLMeterElement, quality: number, levels: number): void {
  [meter.min, meter.max, meter.value] = [1, levels, quality];
  [meter.low, meter.high, meter.optimum] = [1 + (levels - 1) / 3, 1 + (2 * (levels - 1)) / 3, levels];
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

/** A label as it is read: "still_life" is "still life". */
export function words(label: string): string {
  return label.replaceAll("_", " ");
}

/** Rows of a list of bars: a label, its bar and its figure each. */
export function bars(entries: readonly (readonly [string, number])[]): HTMLElement[] {
  return entries.map(([label, probability]) => {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    term.textContent = words(label);
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.setProperty("--share", probability.toFixed(4));
    const figure = document.createElement("span");
    figure.className = "figure";
    figure.textContent = `${(100 * probability).toFixed(0)} %`;
    value.append(bar, figure);
    row.append(term, value);
    return row;
  });
}
