import { setImmediate } from "node:timers/promises";
import { evaluationCrops } from "../../model/preprocess/crops.js";
import type { Image } from "../../model/preprocess/image.js";
import { concurrent, CropBatch, judged, type ScoredImage, type Scorer, type Waiting, waitingImage } from "./scoreImages.js"; // prettier-ignore

interface QueueOptions {
  /** Number of windows an image is scored by; all it has where they are fewer. */
  readonly crops: number;
  /** Number of windows that the model sees at once, at most. */
  readonly microBatch: number;
  /** Told of each batch that is begun: the number of its windows. */
  readonly onBatch?: (windows: number) => void;
}

interface Entry {
  readonly image: Waiting;
  readonly resolve: (scored: ScoredImage) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Images that come one by one from several callers, scored in common batches. A batch that is not full is computed as
 * soon as nothing else is; while one is computed, the next one is filled.
 */
export class ScoreQueue {
  /** Images whose score is not there yet, in their order. */
  readonly #entries: Entry[] = [];
  /** Those of them whose windows wait for a place in a batch; windows are [crops, window, window, 3]. */
  readonly #uncut: { readonly image: Waiting; readonly pixels: Uint8Array }[] = [];
  #batch: CropBatch;
  #isRunning = false;
  #wake: () => void = () => {};

  constructor(
    private readonly scorer: Scorer,
    private readonly options: QueueOptions,
  ) {
    this.#batch = this.#newBatch();
  }

  /**
   * Scores an image at the model's size, as `loadImage` gives it; it is read before this returns.
   * @param name  name in messages
   */
  score(name: string, image: Image): Promise<ScoredImage> {
    const { window } = this.scorer;
    const { crops } = this.options;
    const pixels = evaluationCrops(image, crops, window);
    const waiting = waitingImage(name, image, { crops, window });
    return new Promise((resolve, reject) => {
      this.#entries.push({ image: waiting, resolve, reject });
      this.#uncut.push({ image: waiting, pixels });
      this.#wake();
      void this.#run();
    });
  }

  #newBatch(): CropBatch {
    return new CropBatch(concurrent(this.scorer), this.options.microBatch, this.options.onBatch);
  }

  /** Computes until no image is left. */
  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#entries.length > 0) await this.#turn();
    } catch (error) {
      await this.#fail(error);
    } finally {
      this.#isRunning = false;
    }
  }

  async #turn(): Promise<void> {
    const arrival = new Promise<void>((resolve) => (this.#wake = resolve));
    const next = this.#uncut.shift();
    if (next === undefined) await this.#batch.advance(arrival);
    else await this.#batch.add(next.image, next.pixels);
    for (let first = this.#entries[0]; first?.image.cropsLeft === 0; first = this.#entries[0]) {
      this.#entries.shift();
      first.resolve(judged(first.image, this.scorer));
    }
    await setImmediate(); // lets requests, signals and decoders run
  }

  /** Tells every caller of an error of the engine, which no image is to blame for. */
  async #fail(error: unknown): Promise<void> {
    await this.#batch.settle();
    this.#batch = this.#newBatch();
    this.#uncut.length = 0;
    for (const { reject } of this.#entries.splice(0)) reject(error);
  }
}
