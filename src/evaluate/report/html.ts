/** HTML as text, in which only what this package writes becomes markup. */
import { escapeHtml } from "../../base/text.js";

/** Text that is HTML already. */
export class Html {
  constructor(readonly text: string) {}
}

type HtmlPart = Html | string | number | readonly Html[];

/** Template whose values are escaped, except those that are `Html`: html`<p>${name}</p>`. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(strings.map((text, i) => text + textOf(parts[i] ?? "")).join(""));
}

function textOf(part: HtmlPart): string {
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(({ text }) => text).join("");
  return escapeHtml(String(part));
}

/** A file's name as it is: signs that do not show, or turn the text's direction, are written out (\u202e). */
export function fileName(name: string): Html {
  return html`<bdi class="file">${shownName(name)}</bdi>`;
}

/** The same as plain text. */
export function shownName(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (sign) => {
    return `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
}

/** A label as words: "still_life" is "still life". */
export function labelWords(label: string): string {
  return label.replaceAll("_", " ");
}

/** A picture for the page: WebP bytes, or why there is none. */
export type Picture =
  { readonly ok: true; readonly webp: Uint8Array } | { readonly ok: false; readonly reason: string };

/** @param alt  description for readers who cannot see it */
export function pictureHtml(picture: Picture | undefined, alt: string): Html {
  if (picture === undefined) return html`<p class="missing">No picture.</p>`;
  if (!picture.ok) return html`<p class="missing">No picture: ${picture.reason}</p>`;
  return html`<img alt="${alt}" src="${dataAddress(picture.webp)}" />`;
}

export function dataAddress(webp: Uint8Array): string {
  return `data:image/webp;base64,${Buffer.from(webp).toString("base64")}`;
}

/** A table that scrolls by itself, by keyboard too, where the screen is too narrow for it. */
export function scrollingTable(caption: Html | string, head: readonly (Html | string)[], rows: readonly Html[]): Html {
  const cells = head.map((title) => html`<th scope="col">${title}</th>`);
  return html`<div class="scroll" role="region" tabindex="0" aria-label="table">
    <table role="table">
      <caption>
        <span>${caption}</span>
      </caption>
      <thead>
        <tr>
          ${cells}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
