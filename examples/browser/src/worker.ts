/** Loads the model and scores pictures, apart from the page, which stays usable meanwhile. */
import { Liqe } from "liqe-train/inference";
import { startBackend } from "./backend";
import type { Reply, Request } from "./messages";

/** The worker's own end; the page's types, which are loaded here, take `self` for a window. */
interface Port {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(reply: Reply): void;
}
const port = self as unknown as Port;

let liqe: Liqe | null = null;

async function load(model: string, wanted: string | null): Promise<void> {
  const backend = await startBackend(wanted);
  liqe = await Liqe.load(model, {
    onProgress: (done, total) => {
      port.postMessage({ kind: "progress", done, total });
    },
  });
  const { dtype, score } = liqe.manifest;
  port.postMessage({ kind: "ready", backend, dtype, levels: score.high });
}

async function score(id: number, image: ImageBitmap): Promise<void> {
  if (liqe === null) throw new Error("The model is not loaded yet.");
  const { width, height } = image;
  try {
    const result = await liqe.score(image);
    port.postMessage({ kind: "scored", id, score: result, size: { width, height } });
  } finally {
    image.close();
  }
}

port.onmessage = ({ data }) => {
  const id = data.kind === "score" ? data.id : null;
  const work = data.kind === "score" ? score(data.id, data.image) : load(data.model, data.backend);
  work.catch((error: unknown) => {
    port.postMessage({ kind: "failed", id, error: error instanceof Error ? error.message : String(error) });
  });
};
