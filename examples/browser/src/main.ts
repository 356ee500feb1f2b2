import { BACKEND_NAMES } from "./backendNames";
import { showCropMap } from "./cropMap";
import { showGallery } from "./gallery";
import type { Reply, Request } from "./messages";
import { showPicture } from "./picture";
import { type Picture, Pictures } from "./pictures";
import { showResult } from "./result";
import { element, setText } from "./shared/elements.js";
import { takePictures } from "./shared/intake.js";
import { decode, thumbnailOf } from "./shared/picture.js";

/** Where `liqe export --format tfjs` put the model: beside this page. */
const MODEL = new URL("model/tfjs/", document.baseURI).href;

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const pictures = new Pictures();
let isReady = false;
/** True while a picture is decoded or scored. */
let isBusy = false;
/** Told for every picture, once the model could not be loaded. */
let noModel: string | null = null;
let levels = 5;
/** In the large view. */
let opened: Picture | null = null;
/** Added alone: it opens by itself when it is scored. */
let toOpen: Picture | null = null;

function ask(request: Request, transfer: Transferable[] = []): void {
  worker.postMessage(request, transfer);
}

worker.onmessage = ({ data }: MessageEvent<Reply>) => {
  if (data.kind === "progress") {
    if (noModel !== null) return;
    showProgress("Model download", data.done / data.total);
    setText("status", `Loading the model: ${megabytes(data.done)} of ${megabytes(data.total)} MB`);
  } else if (data.kind === "ready") {
    isReady = true;
    levels = data.levels;
    element("progress", HTMLProgressElement).hidden = true;
    setText("status", "Ready.");
    setText("engine", `Computing with ${BACKEND_NAMES[data.backend]}; weights in ${data.dtype}.`);
    void scoreNext();
  } else if (data.kind === "scored") {
    finish(data.id, (picture) => {
      picture.state = { kind: "scored", score: data.score, size: data.size };
    });
  } else if (data.id === null) {
    failToLoad(data.error);
  } else {
    finish(data.id, (picture) => {
      failPicture(picture, data.error);
    });
  }
};
worker.onerror = () => {
  failToLoad("The model's worker did not start; load the page again.");
};

/** Says at once where there is no model: the worker would first start a backend, which takes a while. */
async function lookForModel(): Promise<void> {
  const manifest = await fetch(new URL("manifest.json", MODEL)).catch(() => null);
  if (manifest?.ok === true && isJson(await manifest.text())) return; // some servers answer with a page of theirs
  failToLoad(
    `There is no model at ${MODEL}. Write one with: npx liqe export --checkpoint checkpoints/quickstart ` +
      "--format tfjs --dtype f16 --out examples/browser/public/model",
  );
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

/** The first reason stays: what follows it is its consequence. */
function failToLoad(message: string): void {
  noModel ??= message;
  pictures.clear();
  showAll();
  setText("status", "");
  element("progress", HTMLProgressElement).hidden = true;
  clearErrors();
  addError(noModel);
}

/** Adds pictures, which are scored one after the other; one that comes alone opens in the large view. */
function add(files: readonly Blob[]): void {
  if (files.length === 0) return;
  clearErrors();
  if (noModel !== null) {
    addError(noModel);
    return;
  }
  const added = pictures.add(files);
  close();
  toOpen = added.length === 1 ? (added[0] ?? null) : null;
  showAll();
  if (isReady) void scoreNext();
  else setText("status", "The pictures are scored as soon as the model is there.");
}

async function scoreNext(): Promise<void> {
  const picture = pictures.next();
  if (isBusy || picture === undefined) return;
  isBusy = true;
  picture.state = { kind: "scoring" };
  showScoring(picture);
  showAll();
  try {
    const image = await decode(picture.file);
    picture.thumbnail = thumbnailOf(image);
    showAll();
    ask({ kind: "score", id: picture.id, image }, [image]);
  } catch (error) {
    finish(picture.id, () => {
      failPicture(picture, error instanceof Error ? error.message : String(error));
    });
  }
}

/** Takes down what came of a picture, unless it was removed, and goes on with the next. */
function finish(id: number, take: (picture: Picture) => void): void {
  isBusy = false;
  const picture = pictures.byId(id);
  if (picture !== undefined) {
    take(picture);
    showAll();
    if (picture === toOpen && picture.state.kind === "scored") void open(picture);
  }
  if (pictures.next() !== undefined) void scoreNext();
  else showDone();
}

function failPicture(picture: Picture, error: string): void {
  picture.state = { kind: "failed", error };
  addError(`${picture.name}: ${error}`);
}

function showScoring({ name }: Picture): void {
  const { done, total } = pictures.progress();
  if (total === 1) showProgress("Scoring", null);
  else showProgress("Scoring", done / total);
  setText("status", total === 1 ? `Scoring ${name} …` : `Scoring ${done + 1} of ${total}: ${name}`);
}

function showDone(): void {
  element("progress", HTMLProgressElement).hidden = true;
  const { total, failed, seconds } = pictures.progress();
  const scored = total - failed;
  const some = failed === 0 ? "" : ` of ${total}`;
  setText("status", scored === 0 ? "" : `${scored}${some} ${total === 1 ? "picture" : "pictures"} scored in ${seconds.toFixed(1)} s.`); // prettier-ignore
}

/** @param share  of the work that is done; null where that is not known */
function showProgress(label: string, share: number | null): void {
  const progress = element("progress", HTMLProgressElement);
  progress.hidden = false;
  progress.setAttribute("aria-label", label);
  if (share === null) progress.removeAttribute("value");
  else progress.value = share;
}

/** Shows a scored picture in the large view, with the map of its crops. */
async function open(picture: Picture): Promise<void> {
  if (picture.state.kind !== "scored") return;
  const { score, size } = picture.state;
  opened = picture;
  const image = await decode(picture.file);
  if (opened !== picture) return; // another one was opened meanwhile
  showPicture(image, picture.name);
  image.close();
  showResult(picture.name, score, levels);
  showCropMap(score.crops, size);
  element("result", HTMLElement).hidden = false;
  showAll();
}

function close(): void {
  opened = null;
  element("result", HTMLElement).hidden = true;
}

/** Opened by hand, from far down the page. */
async function openFromGallery(picture: Picture): Promise<void> {
  await open(picture);
  element("name", HTMLElement).focus({ preventScroll: true });
  element("result", HTMLElement).scrollIntoView({ block: "start" });
}

function showAll(): void {
  showGallery(pictures.all, { levels, opened, open: (picture) => void openFromGallery(picture) });
}

function addError(message: string): void {
  const line = document.createElement("li");
  line.textContent = message;
  const list = element("error", HTMLUListElement);
  list.append(line);
  list.hidden = false;
}

function clearErrors(): void {
  const list = element("error", HTMLUListElement);
  list.replaceChildren();
  list.hidden = true;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

takePictures(element("file", HTMLInputElement), element("drop", HTMLElement), add);

const toggle = element("show-map", HTMLInputElement);
toggle.addEventListener("change", () => {
  element("map", HTMLCanvasElement).hidden = !toggle.checked;
});
element("order", HTMLSelectElement).addEventListener("change", showAll);
element("clear", HTMLButtonElement).addEventListener("click", () => {
  pictures.clear();
  clearErrors();
  close();
  showAll();
  setText("status", "");
});

element("progress", HTMLProgressElement).hidden = false;
setText("status", "Loading the model …");
void lookForModel();
ask({ kind: "load", model: MODEL, backend: new URLSearchParams(location.search).get("backend") });
