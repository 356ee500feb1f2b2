import { html, Html } from "./html.js";
import { PAGE_SCRIPT, SCRIPT_SOURCE } from "./script.js";

/** Content policy: a page loads nothing, and runs nothing but its own script where it has that. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

interface PageSection {
  /** Letters, digits and dashes; unlike the other sections'. */
  readonly id: string;
  readonly title: string;
  readonly content: Html;
  /** True where it begins folded; undefined where it cannot be folded. */
  readonly isFolded?: boolean | undefined;
}

type PageText = {
  readonly title: string;
  readonly intro: Html;
  readonly sections: readonly PageSection[];
  /** Seconds after which a browser reads the file again; undefined for a page that stays as it is. */
  readonly refreshSeconds?: number | undefined;
  /** True where it has tables to sort, or images to filter: it gets the script that does so. */
  readonly hasScript?: boolean;
};

/** A whole page in one file that needs no network. */
export function page({ title, intro, sections, refreshSeconds, hasScript = false }: PageText): string {
  const policy = hasScript ? `${POLICY}; script-src ${SCRIPT_SOURCE}` : POLICY;
  const links = sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`);
  const refresh =
    refreshSeconds === undefined ? html`` : html`<meta http-equiv="refresh" content="${refreshSeconds}" />`;
  const { text } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <link rel="icon" href="data:," />
        ${refresh}
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
        ${hasScript ? PAGE_SCRIPT : html``}
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

/** Number of shades of a confusion matrix's cells. */
export const SHADES = 8;
/** Rules of those shades: more of the accent the larger a cell's share. */
const SHADE_RULES = Array.from({ length: SHADES }, (_, i) => {
  const percent = Math.round((50 * (i + 1)) / SHADES); // beyond that, text on it is hard to read
  return `.h${i + 1}{background:color-mix(in srgb,var(--s1) ${percent}%,var(--paper))}`;
}).join("\n");

/**
 * Light and dark by the reader's setting. Tables of measures break their intervals, and on a phone become cards, so that no
 * column is cut; what is still wider than the screen scrolls by itself.
 */
const STYLE = new Html(`
:root{color-scheme:light dark;--paper:#fff;--card:#f5f6f8;--ink:#16191d;--muted:#4e5560;--line:#d5d9df;
--s1:#0b5fa5;--s2:#b34700;--s3:#00705a;--s4:#863a8b}
@media screen and (prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1e2227;--ink:#e9ebee;--muted:#b0b7c1;--line:#3a414a;
--s1:#6bb5ff;--s2:#ffab5e;--s3:#4fd0b0;--s4:#e39be6}}
*{box-sizing:border-box}
[hidden],.out{display:none!important}
body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.25rem;margin:0;display:inline}
h3{font-size:1.05rem;margin:1.75rem 0 .5rem}
section{margin:2rem 0;padding-top:1rem;border-top:1px solid var(--line)}
section>h2{display:block;margin-bottom:.75rem}
summary{cursor:pointer;margin-bottom:.75rem}
a{color:var(--s1)}
a:focus-visible,summary:focus-visible,button:focus-visible,select:focus-visible,.scroll:focus-visible,main:focus-visible{outline:3px solid var(--s2);outline-offset:2px}
.skip{position:absolute;left:-999px}
.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.5rem;z-index:1}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0;margin:0}
nav a{display:inline-block;padding:.25rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.5rem 0}
dt{color:var(--muted)}dd{margin:0}
small,figcaption,caption{color:var(--muted);font-size:.875rem}
.file{font-family:ui-monospace,monospace;font-size:.875em}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.4rem;margin:.75rem 0;max-width:100%;width:fit-content}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{text-align:left;padding:.5rem .6rem}
caption span{position:sticky;left:.6rem;display:inline-block;max-width:min(100%,calc(100vw - 4rem))}
.notes{color:var(--muted);font-size:.875rem;padding-left:1.25rem}
th,td{padding:.4rem .6rem;text-align:right;border-top:1px solid var(--line);vertical-align:top}
th[scope=row],th:first-child{text-align:left;font-weight:600}
tbody th{position:sticky;left:0;background:var(--paper)}
td small{display:block}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;text-align:inherit;cursor:pointer}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
.published{color:var(--muted)}
.published th{font-weight:400}
.confusion td{text-align:center;padding:.3rem .35rem;min-width:2rem}
.confusion thead th{vertical-align:bottom;padding:.4rem .2rem;text-align:center}
.turned{writing-mode:vertical-rl;transform:rotate(180deg);font-weight:400}
.right{outline:2px solid var(--muted);outline-offset:-2px}
${SHADE_RULES}
@media screen and (max-width:64rem){.measured table,.measured tbody,.measured tr,.measured th,.measured td{display:block}
.measured .scroll,.measured table{width:100%}
.measured caption{display:block}
.measured thead{position:absolute;left:-999px}
.measured thead button{visibility:hidden}
.measured tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(8rem,1fr));border-top:1px solid var(--line)}
.measured th[scope=row]{grid-column:1/-1;border:0;padding-bottom:0}
.measured td{text-align:left;border:0}
.measured td:empty{display:none}
.measured td::before{content:attr(data-label);display:block;color:var(--muted);font-size:.875rem}}
@media (max-width:40rem){.confusion th,.confusion td,.confusion thead th{padding:.25rem 0;min-width:0;font-size:.7rem}
.confusion th[scope=row]{max-width:4.5rem;padding-left:.3rem;overflow-wrap:break-word}}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1rem}
figure{margin:0;max-width:34rem}
figure svg{display:block;width:100%;height:auto}
.points{fill:var(--s1);fill-opacity:.7}
.photos{position:absolute;width:0;height:0}
.dot circle{fill:transparent}
.dot use{display:none;pointer-events:none}
.dot:hover circle{stroke:var(--ink);stroke-width:2}
.dot:hover use{display:block}
.filters{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;margin:.75rem 0 0}
.filters select,.filters button{font:inherit;color:var(--ink);background:var(--card);border:1px solid var(--muted);border-radius:.3rem;padding:.25rem .5rem;max-width:100%}
.filters button:disabled{opacity:.45}
.fit{min-height:1.5em;margin:.5rem 0;font-size:.875rem}
.images{margin-top:1.75rem}
.images h3{display:inline}
.photo{width:2.75rem;height:2.75rem;vertical-align:middle;margin-right:.5rem}
.beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,32rem),1fr));gap:0 2rem}
h4{font-size:1rem;margin:.5rem 0}
.cards{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:1rem}
.card{background:var(--card);border-radius:.4rem;padding:.75rem}
.card p{margin:.35rem 0}
.picture{position:relative;line-height:0}
.picture img{width:100%;height:auto;border-radius:.25rem}
.dots{position:absolute;inset:0;width:100%;height:100%}
.dots circle{stroke:#fff;stroke-width:2}
.missing{line-height:1.5;color:var(--muted);border:1px dashed var(--line);padding:1rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,18rem),1fr));gap:1rem;margin:.75rem 0}
.pair img{width:auto;max-width:100%;max-height:30rem}
@page{margin:14mm}
@media print{:root{color-scheme:light}
body{max-width:none;padding:0;font-size:10pt}
.skip,nav,.filters{display:none}
section{margin:1rem 0}
h1,h2,h3,h4,summary,caption{break-after:avoid}
figure,.card,.pair,tr,.confusion .scroll{break-inside:avoid}
thead{display:table-header-group;break-inside:avoid}
summary{list-style:none}
th button{display:contents}
th button::after{content:none!important}
.scroll{overflow:visible;border:0;width:auto}
.scroll table{width:100%}
.scroll th,.scroll td{padding:.2rem .3rem;font-size:8pt}
.confusion .scroll table{width:auto}
.confusion th,.confusion td,.confusion thead th{padding:.15rem .2rem;min-width:1.4rem}
small,figcaption,caption,.notes,.fit{font-size:8pt}
.card small,.card .file{font-size:7pt}
tbody th{position:static}
.charts{grid-template-columns:repeat(2,1fr)}
.cards{grid-template-columns:repeat(4,1fr);gap:.6rem}
.card{padding:.3rem;font-size:8pt}
.images:not([open]){display:none}
td small{font-size:6.5pt;white-space:nowrap}
.beside{grid-template-columns:1fr}
.confusion td,.dots circle{print-color-adjust:exact;-webkit-print-color-adjust:exact}
a{color:inherit;text-decoration:none}}
`);
