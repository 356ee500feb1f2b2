import type { Picture } from "./pictures";
import { part, scoreFacts } from "./shared/cards.js";
import { element } from "./shared/elements.js";

const ORDERS = {
  added: () => 0,
  best: (a, b) => qualityOf(b) - qualityOf(a),
  worst: (a, b) => qualityOf(a) - qualityOf(b),
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
} satisfies Record<string, (a: Picture, b: Picture) => number>;

/** Pictures without a score come last, in whatever order. */
const sort = (pictures: readonly Picture[], order: keyof typeof ORDERS): Picture[] =>
  pictures.toSorted((a, b) => Number(a.state.kind === "failed") - Number(b.state.kind === "failed") || ORDERS[order](a, b)); // prettier-ignore

/** Of a picture that is not scored yet: below all others. */
function qualityOf({ state }: Picture): number {
  return state.kind === "scored" ? state.score.quality : 0;
}

interface GalleryView {
  /** Number of quality levels. */
  readonly levels: number;
  /** The picture in the large view; null for none. */
  readonly opened: Picture | null;
  readonly open: (picture: Picture) => void;
}

/** Shows a card for each picture in the order that is chosen; nothing where there is one picture alone. */
export function showGallery(pictures: readonly Picture[], view: GalleryView): void {
  const isAlone = pictures.length < 2; // the large view has it
  element("gallery", HTMLElement).hidden = isAlone;
  const chosen = element("order", HTMLSelectElement).value;
  const order = isOrder(chosen) ? chosen : "added";
  const shown = isAlone ? [] : sort(pictures, order);
  element("cards", HTMLElement).replaceChildren(...shown.map((picture) => card(picture, view)));
}

function isOrder(name: string): name is keyof typeof ORDERS {
  return Object.hasOwn(ORDERS, name);
}

function card(picture: Picture, view: GalleryView): HTMLElement {
  const item = part("li", `card ${picture.state.kind}`);
  if (picture.state.kind !== "failed" || picture.thumbnail !== null) item.append(thumbnail(picture, view));
  item.append(part("p", "file", picture.name), ...facts(picture, view.levels));
  return item;
}

/** A button that opens the large view, once there is something to show. */
function thumbnail(picture: Picture, { opened, open }: GalleryView): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "thumbnail";
  button.disabled = picture.state.kind !== "scored";
  button.setAttribute("aria-label", `Show ${picture.name}`);
  button.setAttribute("aria-pressed", String(picture === opened));
  if (picture.thumbnail !== null) button.append(picture.thumbnail);
  button.addEventListener("click", () => {
    open(picture);
  });
  return button;
}

function facts({ state }: Picture, levels: number): HTMLElement[] {
  if (state.kind === "failed") return [part("p", "reason", state.error)];
  if (state.kind !== "scored") return [part("p", "quiet", state.kind === "scoring" ? "Scoring …" : "Waiting")];
  return scoreFacts(state.score, levels);
}
