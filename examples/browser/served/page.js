/** The page of `liqe serve`: each picture is scored by the server that the page came from. */
import { part, scoreFacts } from "../src/shared/cards.js";
import { element, setText } from "../src/shared/elements.js";
import { takePictures } from "../src/shared/intake.js";
import { decode, thumbnailOf } from "../src/shared/picture.js";

/** @typedef {{ readonly file: File, readonly card: HTMLElement }} Job */

/** @type {Job[]} */
const waiting = [];
let isBusy = false;
let done = 0;
let total = 0;

/**
 * What the browser can show of a picture: nothing of one that it cannot decode, which the server may know.
 * @param {File} file
 */
async function thumbnail(file) {
  const image = await decode(file).catch(() => null);
  if (image === null) return [];
  const frame = part("div", "thumbnail");
  frame.append(thumbnailOf(image));
  image.close();
  return [frame];
}

/**
 * The server's answer, once it has room.
 * @param {File} file
 */
async function askFor(file) {
  const token = element("token", HTMLInputElement).value;
  const headers = token === "" ? {} : { authorization: `Bearer ${token}` };
  for (;;) {
    const answer = await fetch(`score?name=${encodeURIComponent(file.name)}`, { method: "POST", headers, body: file });
    const seconds = answer.headers.get("retry-after");
    if (answer.status !== 503 || seconds === null) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(seconds)));
  }
}

/** @param {Job} job */
async function score({ file, card }) {
  const answer = await askFor(file);
  const found = await answer.json();
  if (answer.status === 401) element("token-part", HTMLElement).hidden = false;
  const levels = Object.keys(found.probabilities?.quality ?? {}).length;
  const facts = answer.ok ? scoreFacts(found, levels) : [part("p", "reason", found.error)];
  card.className = answer.ok ? "card scored" : "card failed";
  card.replaceChildren(...(await thumbnail(file)), part("p", "file", file.name), ...facts);
}

async function scoreNext() {
  if (isBusy) return;
  isBusy = true;
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
    const { file, card } = job;
    setText("status", `Scoring ${done + 1} of ${total}`);
    await score(job).catch(() => {
      card.className = "card failed";
      card.replaceChildren(
        part("p", "file", file.name),
        part("p", "reason", "The server gave no answer; is it running?"),
      );
    });
    done++;
  }
  isBusy = false;
  setText("status", done === 1 ? "1 picture." : `${done} pictures.`);
}

/** @param {readonly File[]} files */
function add(files) {
  if (files.length === 0) return;
  for (const file of files) {
    const card = part("li", "card waiting");
    card.append(part("p", "file", file.name), part("p", "quiet", "Waiting"));
    element("cards", HTMLElement).append(card);
    waiting.push({ file, card });
    total++;
  }
  element("gallery", HTMLElement).hidden = false;
  void scoreNext();
}

takePictures(element("file", HTMLInputElement), element("drop", HTMLElement), add);
const { model, version } = await (await fetch("health")).json();
setText("engine", `Model: ${model}; liqe-train ${version}.`);
