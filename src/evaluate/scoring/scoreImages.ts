import { setImmediate } from "node:timers/promises";
import type { ReportProgress } from "../../base/types.js";
import type { ImageOptions } from "../../data/images/loadImage.js";
import { lookOf, packLook } from "../../data/images/look.js";
import { prefetchImages } from "../../data/images/prefetch.js";
import type { ListedImage } from "../../data/sample.js";
import { jointEntropy, type Posterior, posteriorOf } from "../../model/posterior.js";
import { cropBytes, evaluationCrops, evaluationWindows, type Window } from "../../model/preprocess/crops.js";
import type { Image } from "../../model/preprocess/image.js";
import type { TaskAxis } from "../../model/prompts/promptGrid.js";

/** Scorer of crops: a model with its prompts encoded. */
export interface CropScorer {
  readonly axes: readonly TaskAxis[];
  /** Side of the model's window in pixels. */
  readonly window: number;
  /** [crops, window, window, 3], RGB, 0 to 255, borrowed → [crops, prompts], scaled cosines, on the host. */
  logits(pixels: Uint8Array): Float32Array;
}

/** Scorer of crops that may have several batches under way. */
export interface ConcurrentScorer {
  readonly axes: readonly TaskAxis[];
  readonly window: number;
  /** Largest number of batches under way. */
  readonly atOnce: number;
  /** `CropScorer.logits`; the pixels are borrowed until it resolves. */
  logitsLater(pixels: Uint8Array): Promise<Float32Array>;
}

export type Scorer = CropScorer | ConcurrentScorer;

export interface ScoreOptions {
  /** Number of windows an image is scored by; all it has where they are fewer. */
  readonly crops: number;
  /** Number of crops the model sees at once: memory depends on it, and not on the number of images. */
  readonly microBatch: number;
  /**
   * Order in which images fill micro-batches. `given`: that of `files`, so that each image is handed out soon after its
   * turn. `name`: ascending, so that an image has the same place whatever the order of `files`, and the same score to the
   * last bit (some engines sum the last rows of a matrix product in another order); it may have to wait to be handed out.
   */
  readonly order: "given" | "name";
  /** True where what each image looks like is asked for too. */
  readonly withLooks?: boolean;
  /** Rules for refused and for small images. */
  readonly images: ImageOptions;
  /** Stops the scoring when aborted: its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** A window, and the quality of its pixels alone. */
export interface CropScore extends Window {
  readonly quality: number;
}

/** Windows that an image was scored by. */
export interface ScoredCrops {
  /** Pixels of the image that windows were cut from: smaller than the file's where that is large. */
  readonly rows: number;
  readonly cols: number;
  /** Side of each window. */
  readonly window: number;
  /** In the order of `evaluationWindows`. */
  readonly scores: readonly CropScore[];
}

/** The model's posterior for a file, or why there is none. */
export type ScoredImage =
  | {
      readonly file: string;
      readonly ok: true;
      readonly posterior: Posterior;
      /** Entropy of the joint distribution, in nats: see `jointEntropy`. */
      readonly entropy: number;
      readonly crops: ScoredCrops;
      /** As `packLook` has it, where it was asked for. */
      readonly look?: string | undefined;
    }
  | { readonly file: string; readonly ok: false; readonly error: string };

/** Usual micro-batch: large enough for matrix products to be efficient. */
export const EVALUATION_BATCH = 32;

/** Number of files that are decoded while the model computes. */
const AHEAD = 4;

/**
 * Scores images and hands them out in the files' order, each as soon as its crops and the images before it are done.
 * Logits are averaged over an image's crops before the softmax. An unreadable file or a score not finite gives its error.
 */
export async function* scoreImages(
  files: readonly string[],
  scorer: Scorer,
  { crops, microBatch, order, images, signal, withLooks = false }: ScoreOptions,
  report?: ReportProgress,
): AsyncGenerator<ScoredImage, void, undefined> {
  const { window } = scorer;
  const batch = new CropBatch(concurrent(scorer), microBatch);
  const waiting: (Waiting | Unreadable)[] = [];
  const turns = order === "name" ? byName(files) : files.map((_, i) => i);
  const scored = new Map<number, ScoredImage>(); // by place in `files`, until the ones before are handed out
  let done = 0;
  let handedOut = 0;
  const finished = function* (): Generator<ScoredImage> {
    for (let first = waiting[0]; first !== undefined && first.cropsLeft === 0; first = waiting[0]) {
      waiting.shift();
      scored.set(turns[done++] ?? NaN, judged(first, scorer));
      report?.({ label: "scoring", done, total: files.length, unit: "images" });
      for (let next = scored.get(handedOut); next !== undefined; next = scored.get(handedOut)) {
        scored.delete(handedOut++);
        yield next;
      }
    }
  };
  const inTurn = turns.map((place) => files[place] ?? "");
  try {
    for await (const loaded of prefetchImages(inTurn, { ahead: AHEAD, images: { ...images, window } })) {
      if (loaded.ok) {
        const image = waitingImage(loaded.file, loaded.image, { crops, window, withLooks });
        waiting.push(image);
        await batch.add(image, evaluationCrops(loaded.image, crops, window));
      } else waiting.push({ file: loaded.file, error: loaded.error.message, cropsLeft: 0 });
      await setImmediate(); // lets signals and decoders run: native operations hold the thread
      signal?.throwIfAborted();
      yield* finished();
    }
    await batch.flush();
    yield* finished();
  } finally {
    await batch.settle();
  }
}

/** Way of scoring the images of samples, in their order; `report` is told of those that this process scores. */
export type ScoreSamples = (
  samples: readonly ListedImage[],
  scorer: Scorer,
  options: ScoreOptions,
  report?: ReportProgress,
) => AsyncIterable<ScoredImage>;

/** Scorer as one that may have several batches under way. */
export function concurrent(scorer: Scorer): ConcurrentScorer {
  return "atOnce" in scorer ? scorer : oneAtATime(scorer);
}

function oneAtATime(scorer: CropScorer): ConcurrentScorer {
  return {
    axes: scorer.axes,
    window: scorer.window,
    atOnce: 1,
    logitsLater: (pixels) => Promise.resolve(scorer.logits(pixels)),
  };
}

function byName(files: readonly string[]): number[] {
  const named = files.map((file, place) => ({ file, place }));
  return named.sort((a, b) => (a.file < b.file ? -1 : Number(a.file > b.file))).map(({ place }) => place);
}

/** An image whose crops are not all scored yet. */
export interface Waiting {
  readonly file: string;
  readonly rows: number;
  readonly cols: number;
  readonly windows: readonly Window[];
  readonly look: string | undefined;
  cropsLeft: number;
  /** Quality of each crop so far. */
  readonly qualities: number[];
  /** [prompts]: logits summed over the crops so far. */
  sums: Float64Array | null;
}

/** File that is no image, in its turn among those that wait. */
interface Unreadable {
  readonly file: string;
  readonly error: string;
  readonly cropsLeft: 0;
}

/** Image that waits for its crops' scores. */
export function waitingImage(
  file: string,
  image: Image,
  { crops, window, withLooks }: Pick<ScoreOptions, "crops" | "withLooks"> & Pick<Scorer, "window">,
): Waiting {
  const { rows, cols } = image;
  const windows = evaluationWindows(image, crops, window);
  const look = withLooks === true ? packLook(lookOf(image)) : undefined;
  return { file, rows, cols, windows, look, cropsLeft: windows.length, qualities: [], sums: null };
}

/** Batch of consecutive images' crops, so that the model sees batches of one size and a smaller last one. */
export class CropBatch {
  private readonly cropBytes: number;
  private pixels: Uint8Array;
  private owners: Waiting[] = [];
  /** Batches in the order in which they were begun. */
  private readonly underWay: { readonly owners: readonly Waiting[]; readonly logits: Promise<Float32Array> }[] = [];

  constructor(
    private readonly scorer: ConcurrentScorer,
    private readonly size: number,
    private readonly onRun: (crops: number) => void = () => {},
  ) {
    this.cropBytes = cropBytes(scorer.window);
    this.pixels = new Uint8Array(size * this.cropBytes);
  }

  async add(image: Waiting, pixels: Uint8Array): Promise<void> {
    for (let at = 0; at < pixels.length; at += this.cropBytes) {
      this.pixels.set(pixels.subarray(at, at + this.cropBytes), this.owners.length * this.cropBytes);
      this.owners.push(image);
      if (this.owners.length === this.size) await this.run(this.pixels);
    }
  }

  /** Runs the last batch, and waits for all of them. */
  async flush(): Promise<void> {
    if (this.owners.length > 0) await this.run(this.pixels.subarray(0, this.owners.length * this.cropBytes));
    while (this.underWay.length > 0) await this.finish();
  }

  /** Finishes the oldest batch, which may be one that is not full where none is under way; not so if `other` comes first. */
  async advance(other: Promise<unknown>): Promise<void> {
    if (this.underWay.length === 0 && this.owners.length > 0) {
      this.begin(this.pixels.subarray(0, this.owners.length * this.cropBytes));
      this.pixels = new Uint8Array(this.pixels.length); // the old ones are borrowed by it
    }
    const [first] = this.underWay;
    if (first === undefined) return;
    if (await Promise.race([first.logits.then(() => true), other.then(() => false)])) await this.finish();
  }

  /** Waits for what is under way, whatever comes of it: a process must not end while its engine computes. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.underWay.map(({ logits }) => logits));
  }

  private async run(pixels: Uint8Array): Promise<void> {
    this.begin(pixels);
    while (this.underWay.length >= this.scorer.atOnce) await this.finish();
    if (this.underWay.length > 0) this.pixels = new Uint8Array(this.pixels.length); // the old ones are still borrowed
  }

  private begin(pixels: Uint8Array): void {
    this.onRun(this.owners.length);
    const logits = this.scorer.logitsLater(pixels);
    logits.catch(() => undefined); // `finish` throws the error in its turn
    this.underWay.push({ owners: this.owners, logits });
    this.owners = [];
  }

  private async finish(): Promise<void> {
    const [first] = this.underWay;
    if (first === undefined) return;
    const logits = await first.logits;
    this.underWay.shift();
    const prompts = logits.length / first.owners.length;
    first.owners.forEach((image, crop) => {
      const sums = (image.sums ??= new Float64Array(prompts));
      const own = logits.subarray(crop * prompts, (crop + 1) * prompts);
      for (let i = 0; i < prompts; i++) sums[i] = (sums[i] ?? NaN) + (own[i] ?? NaN);
      image.qualities.push(posteriorOf(own, this.scorer.axes).quality);
      image.cropsLeft--;
    });
  }
}

/** Score of an image whose crops are done. */
export function judged(image: Waiting | Unreadable, { axes, window }: Scorer): ScoredImage {
  const { file } = image;
  if ("error" in image) return { file, ok: false, error: image.error };
  if (image.sums === null) return { file, ok: false, error: `${file}: has no crop to score` };
  const logits = image.sums.map((sum) => sum / image.windows.length);
  const posterior = posteriorOf(logits, axes);
  if (Number.isFinite(posterior.quality)) {
    const { rows, cols, windows, qualities, look } = image;
    const scores = windows.map((corner, i) => ({ ...corner, quality: qualities[i] ?? NaN }));
    return { file, ok: true, posterior, entropy: jointEntropy(logits), crops: { rows, cols, window, scores }, look };
  }
  return { file, ok: false, error: `${file}: the model's score is ${posterior.quality}; its weights may be broken` };
}
