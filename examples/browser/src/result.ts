import type { LiqeScore } from "liqe-train/inference";
import { element, setText } from "./elements";

/** Labels that are listed of an axis; the rest is improbable. */
const LISTED = 3;

/** Fills in what the model says. */
export function showResult(score: LiqeScore, levels: number): void {
  setText("quality", score.quality.toFixed(2));
  setText("scale", `of 1 (worst) to ${levels} (best)`);
  const meter = element("meter", HTMLMeterElement);
  [meter.min, meter.max, meter.value] = [1, levels, score.quality];
  // In thirds, the best at the top: browsers color the bar by them
  [meter.low, meter.high, meter.optimum] = [1 + (levels - 1) / 3, 1 + (2 * (levels - 1)) / 3, levels];
  const { quality, scene, distortion } = score.probabilities;
  showBars("quality-levels", Object.entries(quality ?? {}).reverse());
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
  setText(axis, (label ?? "").replaceAll("_", " "));
  const sorted = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  showBars(`${axis}-labels`, sorted.slice(0, LISTED));
}

function showBars(id: string, entries: readonly (readonly [string, number])[]): void {
  const rows = entries.map(([label, probability]) => {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    term.textContent = label.replaceAll("_", " ");
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
  element(id, HTMLElement).replaceChildren(...rows);
}
