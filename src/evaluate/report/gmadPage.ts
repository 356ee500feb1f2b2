/** The pairs of a group maximum differentiation as a page of pictures. */
import { plural } from "../../base/text.js";
import type { Defence, ScoredPair } from "../metrics/gmad.js";
import { fixed } from "../tables/benchmarkTable.js";
import { fileName, html, type Html, type Picture, pictureHtml } from "./html.js";
import { page } from "./page.js";

interface GmadData {
  readonly models: readonly [string, string];
  readonly images: number;
  readonly failed: readonly { readonly file: string; readonly error: string }[];
  readonly defences: readonly [Defence, Defence];
  /** By the images' files. */
  readonly pictures: ReadonlyMap<string, Picture>;
}

/** Names of the two models on the page. */
const NAMES = ["A", "B"] as const;

/** The page's text: the same for the same data. */
export function gmadPage({ models, images, failed, defences, pictures }: GmadData): string {
  return page({
    title: "Where two models disagree most",
    intro: html`<dl>
        <dt>${NAMES[0]}</dt>
        <dd>${fileName(models[0])}</dd>
        <dt>${NAMES[1]}</dt>
        <dd>${fileName(models[1])}</dd>
      </dl>
      <p>
        Of ${plural(images, "image")}. In each level one model, the defender, finds all images about equally good; shown
        are the two that the other one, the attacker, separates most. Is one clearly the better to you? Then the
        attacker is right; are they alike, the defender (group maximum differentiation, K. Ma et al., 2020).
      </p>
      ${failures(failed)}`,
    sections: defences.map((defence) => ({
      id: `defence-${NAMES[defence.defender].toLowerCase()}`,
      title: `${NAMES[defence.defender]} defends, ${NAMES[defence.attacker]} attacks`,
      content: html`${defence.levels.map((level, i) => levelHtml(level, i, { defence, pictures }))}`,
    })),
  });
}

function levelHtml(
  { low, high, images, pair }: Defence["levels"][number],
  index: number,
  { defence, pictures }: { readonly defence: Defence; readonly pictures: GmadData["pictures"] },
): Html {
  const [defender, attacker] = [NAMES[defence.defender], NAMES[defence.attacker]];
  const heading = html`<h3>
    Level ${index + 1} of ${defence.levels.length}: ${defender} says ${fixed(low)} to ${fixed(high)}
  </h3>`;
  if (pair === null)
    return html`${heading}
      <p>No pair: ${images === 0 ? "no image is" : "one image alone is"} in this level.</p>`;
  const sides = [
    { title: "Better", image: pair.better },
    { title: "Worse", image: pair.worse },
  ];
  return html`${heading}
    <p>
      ${attacker} sees ${fixed(pair.separation)} between them, ${fixed(pair.strength)} deviations of its scores;
      ${plural(images, "image")} in the level.
    </p>
    <div class="pair">${sides.map(({ title, image }) => side(`${title} to ${attacker}`, image, pictures))}</div>`;
}

function side(title: string, { file, qualities }: ScoredPair, pictures: GmadData["pictures"]): Html {
  const scores = qualities.map((quality, model) => html`${NAMES[model as 0 | 1]} <b>${fixed(quality)}</b> `); // two of them
  return html`<figure>
    <div class="picture">${pictureHtml(pictures.get(file), `the image ${file}`)}</div>
    <figcaption>${title}: ${scores}<br />${fileName(file)}</figcaption>
  </figure>`;
}

/** Number of failed images that are named; the others are counted. */
const SHOWN_FAILURES = 10;

function failures(failed: GmadData["failed"]): Html {
  if (failed.length === 0) return html``;
  const more = failed.length - SHOWN_FAILURES;
  return html`<p>Without a score of both, and left out: ${failed.length}.</p>
    <ul>
      ${failed.slice(0, SHOWN_FAILURES).map(({ error }) => html`<li>${error}</li>`)}${more > 0 ? html`<li>and ${more} more</li>` : html``}
    </ul>`;
}
