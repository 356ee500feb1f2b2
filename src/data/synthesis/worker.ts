/** Entry of a worker thread: distorts the photographs that it is sent, one after another. */
import { parentPort } from "node:worker_threads";
import { DataError } from "../../base/errors.js";
import { distortPhotograph, type DistortedImage, type PhotographJob } from "./distortPhotograph.js";

export type WorkerReply =
  | { readonly kind: "image" }
  | { readonly kind: "done"; readonly images: readonly DistortedImage[] }
  | { readonly kind: "failed"; readonly isDataError: boolean; readonly message: string; readonly code: unknown };

parentPort?.on("message", (job: PhotographJob) => {
  const reply = (message: WorkerReply) => parentPort?.postMessage(message);
  distortPhotograph(job, () => reply({ kind: "image" })).then(
    (images) => reply({ kind: "done", images }),
    (error: unknown) => {
      const isDataError = error instanceof DataError;
      const message = error instanceof Error ? error.message : String(error);
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      reply({ kind: "failed", isDataError, message, code });
    },
  );
});
