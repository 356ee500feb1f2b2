import { WINDOW } from "../../model/preprocess/image.js";
import { colorAt, colorRange } from "../heatmap.js";
import type { ScoredCrops } from "../scoring/scoreImages.js";
import type { Html } from "./html.js";
import { html } from "./html.js";

/** A picture for the page: WebP bytes, or why there is none. */
export type Picture =
  { readonly ok: true; readonly webp: Uint8Array } | { readonly ok: false; readonly reason: string };

/** @param alt  what it is, for who cannot see it */
export function pictureHtml(picture: Picture | undefined, alt: string): Html {
  if (picture === undefined) return html`<p class="missing">No picture.</p>`;
  if (!picture.ok) return html`<p class="missing">No picture: ${picture.reason}</p>`;
  const data = Buffer.from(picture.webp).toString("base64");
  return html`<img alt="${alt}" src="data:image/webp;base64,${data}" />`;
}

/** Radius of a window's dot, as a share of the image's longer side. */
const DOT = 0.022;

/** Dots at the middles of an image's windows, dark where the score is low, to lie over its picture. */
export function cropDots({ rows, cols, scores }: ScoredCrops): Html {
  const { low, high } = colorRange(scores);
  const radius = Math.round(DOT * Math.max(rows, cols));
  const dots = scores.map(({ top, left, quality }) => {
    const color = colorAt((quality - low) / (high - low)).join(",");
    const [x, y] = [left + WINDOW / 2, top + WINDOW / 2];
    return html`<circle cx="${x}" cy="${y}" r="${radius}" fill="rgb(${color})" />`;
  });
  return html`<svg class="dots" viewBox="0 0 ${cols} ${rows}" aria-hidden="true">${dots}</svg>`;
}

/** The windows' scores in words, from the upper left to the lower right. */
export function cropList({ scores }: ScoredCrops): Html {
  const list = scores.map(({ quality }) => quality.toFixed(2)).join(", ");
  return html`${scores.length === 1 ? "Its only window" : `${scores.length} windows`}: ${list}`;
}
