/** HTML as text in which nothing that was not written here can become markup. */

/** Text that is HTML already. */
export class Html {
  constructor(readonly text: string) {}
}

type HtmlPart = Html | string | number | readonly Html[];

/** A template whose values are escaped, but for those that are `Html`: html`<p>${name}</p>`. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(strings.map((text, i) => text + textOf(parts[i] ?? "")).join(""));
}

export const NOTHING = new Html("");

function textOf(part: HtmlPart): string {
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(({ text }) => text).join("");
  return escapeHtml(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** For text between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? "");
}

/**
 * A file's name or path, to be read as it is: what would not show, or would turn the direction of the text around, is
 * written out as \u202e.
 */
export function fileName(name: string): Html {
  const shown = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (sign) => {
    return `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
  return html`<bdi class="file">${shown}</bdi>`;
}
