import type { Html } from "./html.js";
import { html } from "./html.js";
import { STYLE } from "./style.js";

/** Nothing is loaded from anywhere, and nothing runs: all that a page needs is in it. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export interface PageSection {
  /** Of letters, digits and dashes; unlike the other sections'. */
  readonly id: string;
  readonly title: string;
  readonly content: Html;
  /** Begins folded. */
  readonly isFolded?: boolean;
}

export interface PageText {
  readonly title: string;
  /** What it is about, below the title. */
  readonly intro: Html;
  readonly sections: readonly PageSection[];
}

/** A whole page in one file that needs no network. */
export function page({ title, intro, sections }: PageText): string {
  const links = sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`);
  const { text } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <h1>${title}</h1>
          ${intro}
        </header>
        <nav aria-label="Sections">
          <ul>
            ${links}
          </ul>
        </nav>
        <main id="main" tabindex="-1">${sections.map(section)}</main>
      </body>
    </html> `;
  return text;
}

function section({ id, title, content, isFolded }: PageSection): Html {
  const heading = html`<h2 id="${id}-title">${title}</h2>`;
  const inner =
    isFolded === undefined
      ? html`${heading}${content}`
      : html`<details${isFolded ? html`` : html` open`}><summary>${heading}</summary>${content}</details>`;
  return html`<section id="${id}" aria-labelledby="${id}-title">${inner}</section> `;
}
