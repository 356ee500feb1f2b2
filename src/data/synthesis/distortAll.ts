import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { DataError } from "../../base/errors.js";
import { distortPhotograph, type DistortedImage, type PhotographJob } from "./distortPhotograph.js";
import type { WorkerReply } from "./worker.js";

/** Worker that distorts photographs, in a thread or in this one. */
interface Hand {
  readonly distort: (job: PhotographJob) => Promise<readonly DistortedImage[]>;
  readonly close: () => Promise<unknown>;
}

/**
 * Distorts all photographs with one worker thread a core, or in this thread where TypeScript runs uncompiled.
 * @param workers   number of threads; the images do not depend on it
 * @param onImage   called for each image that lies on the disk
 * @param signal    ends the threads when aborted, and the promise rejects with its reason
 * @returns images in the order of `jobs`
 */
export async function distortAll(
  jobs: readonly PhotographJob[],
  { workers, onImage, signal }: { workers: number | "auto"; onImage: () => void; signal: AbortSignal | undefined },
): Promise<DistortedImage[]> {
  const count = Math.min(jobs.length, workers === "auto" ? availableParallelism() : workers);
  const isCompiled = import.meta.url.endsWith(".js");
  const hands = Array.from({ length: isCompiled ? count : 1 }, () => (isCompiled ? thread(onImage) : inline(onImage)));
  const closeAll = () => Promise.all(hands.map(({ close }) => close()));
  const onAbort = () => void closeAll();
  signal?.addEventListener("abort", onAbort);
  const made: (readonly DistortedImage[])[] = [];
  let next = 0;
  const takeJobs = async ({ distort }: Hand) => {
    for (let i = next++; i < jobs.length; i = next++) {
      signal?.throwIfAborted();
      const job = jobs[i];
      if (job !== undefined) made[i] = await distort(job);
    }
  };
  try {
    await Promise.all(hands.map(takeJobs));
  } catch (error) {
    signal?.throwIfAborted(); // a thread that was ended has an error of its own
    throw error;
  } finally {
    next = jobs.length; // the others take no more
    signal?.removeEventListener("abort", onAbort);
    await closeAll();
  }
  return made.flat();
}

function inline(onImage: () => void): Hand {
  return { distort: (job) => distortPhotograph(job, onImage), close: () => Promise.resolve() };
}

function thread(onImage: () => void): Hand {
  const worker = new Worker(new URL("./worker.js", import.meta.url));
  let current: { resolve: (images: readonly DistortedImage[]) => void; reject: (error: Error) => void } | undefined;
  worker.on("message", (reply: WorkerReply) => {
    if (reply.kind === "image") onImage();
    else if (reply.kind === "done") current?.resolve(reply.images);
    else current?.reject(errorOf(reply));
  });
  worker.on("error", (error: Error) => current?.reject(error));
  worker.on("exit", (code) => current?.reject(new Error(`internal: distortAll: a worker ended with code ${code}`)));
  const distort: Hand["distort"] = (job) =>
    new Promise((resolve, reject) => {
      current = { resolve, reject };
      worker.postMessage(job);
    });
  return { distort, close: () => worker.terminate() };
}

/** Error as it was in the thread: the exit code depends on its class and its system code. */
function errorOf({ isDataError, message, code }: Extract<WorkerReply, { kind: "failed" }>): Error {
  return isDataError ? new DataError(message) : Object.assign(new Error(message), { code });
}
