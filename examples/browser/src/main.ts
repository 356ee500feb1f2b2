import { element, setText } from "./elements";
import type { Reply, Request } from "./messages";
import { decode, showPicture } from "./picture";
import { showCropMap } from "./cropMap";
import { showResult } from "./result";

/** Where `liqe export --format tfjs` put the model: beside this page. */
const MODEL = new URL("model/tfjs/", document.baseURI).href;

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const size = { width: 0, height: 0 };
let isReady = false;
/** Told for every picture, once the model could not be loaded. */
let noModel: string | null = null;
let levels = 5;
/** Of the picture shown; an answer about an earlier one is let go. */
let current = 0;
/** Chosen before the model was there. */
let waiting: Blob | null = null;

function ask(request: Request, transfer: Transferable[] = []): void {
  worker.postMessage(request, transfer);
}

worker.onmessage = ({ data }: MessageEvent<Reply>) => {
  if (data.kind === "progress") {
    if (noModel !== null) return;
    element("progress", HTMLProgressElement).value = data.done / data.total;
    setText("status", `Loading the model: ${megabytes(data.done)} of ${megabytes(data.total)} MB`);
  } else if (data.kind === "ready") {
    isReady = true;
    levels = data.levels;
    element("progress", HTMLProgressElement).hidden = true;
    setText("status", "Ready.");
    setText("engine", `Computing with ${data.backend}; weights in ${data.dtype}.`);
    if (waiting !== null) void look(waiting);
  } else if (data.kind === "scored") {
    if (data.id !== current) return;
    showResult(data.score, levels);
    showCropMap(data.score.crops, size);
    element("result", HTMLElement).hidden = false;
    setText("status", `Scored ${size.width} × ${size.height} pixels in ${data.seconds.toFixed(1)} s.`);
  } else if (data.id === null) {
    failToLoad(data.error);
  } else if (data.id === current) {
    fail(data.error);
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
  waiting = null;
  fail(noModel);
}

/** Scores a picture; only its latest answer is shown. */
async function look(file: Blob): Promise<void> {
  if (noModel !== null) {
    fail(noModel);
    return;
  }
  clearError();
  if (!isReady) {
    waiting = file;
    setText("status", "The picture is looked at as soon as the model is there.");
    return;
  }
  waiting = null;
  const id = ++current;
  element("result", HTMLElement).hidden = true;
  setText("status", "Looking at the picture …");
  try {
    const image = await decode(file);
    if (id !== current) return;
    [size.width, size.height] = [image.width, image.height];
    showPicture(image, file instanceof File ? file.name : "");
    ask({ kind: "score", id, image }, [image]);
  } catch (error) {
    if (id === current) fail(error instanceof Error ? error.message : String(error));
  }
}

function fail(message: string): void {
  setText("status", "");
  element("progress", HTMLProgressElement).hidden = true;
  setText("error", message);
  element("error", HTMLElement).hidden = false;
}

function clearError(): void {
  element("error", HTMLElement).hidden = true;
  setText("error", "");
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

const input = element("file", HTMLInputElement);
input.addEventListener("change", () => {
  const file = input.files?.[0];
  if (file !== undefined) void look(file);
  input.value = ""; // so that the same file can be chosen again
});

const drop = element("drop", HTMLElement);
for (const kind of ["dragenter", "dragover"] as const) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const file = event.dataTransfer?.files[0];
  if (file !== undefined) void look(file);
});
document.addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (file !== undefined) void look(file);
});

const toggle = element("show-map", HTMLInputElement);
toggle.addEventListener("change", () => {
  element("map", HTMLCanvasElement).hidden = !toggle.checked;
});

element("progress", HTMLProgressElement).hidden = false;
setText("status", "Loading the model …");
void lookForModel();
ask({ kind: "load", model: MODEL, backend: new URLSearchParams(location.search).get("backend") });
