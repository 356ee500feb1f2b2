/** Cards of scored pictures, which the page of `liqe serve` has too. */

/** @typedef {Pick<import("liqe-train/inference").LiqeScore, "quality" | "scene" | "distortion" | "probabilities">} CardScore */

/**
 * An element with its class and text.
 * @param {string} tag
 * @param {string} className
 * @returns {HTMLElement}
 */
export function part(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/**
 * A label as it is read: "still_life" is "still life".
 * @param {string} label
 */
export function words(label) {
  return label.replaceAll("_", " ");
}

/**
 * Rows of a list of bars: a label, its bar and its figure each.
 * @param {readonly (readonly [string, number])[]} entries
 */
export function bars(entries) {
  return entries.map(([label, probability]) => {
    const row = document.createElement("div");
    const value = document.createElement("dd");
    const bar = part("span", "bar");
    bar.style.setProperty("--share", probability.toFixed(4));
    value.append(bar, part("span", "figure", `${(100 * probability).toFixed(0)} %`));
    row.append(part("dt", "", words(label)), value);
    return row;
  });
}

/**
 * In thirds, the best at the top: browsers color the bar by them.
 * @param {HTMLMeterElement} meter
 * @param {number} quality
 * @param {number} levels
 */
export function fillMeter(meter, quality, levels) {
  [meter.min, meter.max, meter.value] = [1, levels, quality];
  [meter.low, meter.high, meter.optimum] = [1 + (levels - 1) / 3, 1 + (2 * (levels - 1)) / 3, levels];
}

/**
 * What a card says of a score: the figure, a meter, words and bars.
 * @param {CardScore} score
 * @param {number} levels  number of quality levels
 * @returns {HTMLElement[]}
 */
export function scoreFacts(score, levels) {
  const { quality, probabilities } = score;
  const meter = document.createElement("meter");
  meter.setAttribute("aria-label", "Quality");
  fillMeter(meter, quality, levels);
  const figure = part("p", "score");
  figure.append(part("b", "", quality.toFixed(2)), part("span", "", ` of ${levels}`));
  const list = part("dl", "bars");
  list.append(...bars(Object.entries(probabilities.quality ?? {}).reverse()));
  return [figure, meter, part("p", "words", said(score)), list];
}

/**
 * Scene and distortion as far as the prompts ask for them: "still life with blur artifacts".
 * @param {Pick<CardScore, "scene" | "distortion">} score
 */
function said({ scene, distortion }) {
  const artifacts = distortion === null ? [] : [`${words(distortion)} artifacts`];
  return [...(scene === null ? [] : [words(scene)]), ...artifacts].join(" with ");
}
