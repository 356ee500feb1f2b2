import { createLimiter, FILES_AT_ONCE } from "../../base/concurrency.js";
import { DataError } from "../../base/errors.js";
import { decodeImage, type ImageOptions } from "../../data/images/loadImage.js";
import type { ScoredImage } from "../../evaluate/scoring/scoreImages.js";
import { ScoreQueue } from "../../evaluate/scoring/scoreQueue.js";
import { resized, sizeImage } from "../../model/preprocess/resize.js";
import type { Model } from "../load.js";
import { predictedImage, type Prediction } from "../predict.js";
import type { Upload } from "./uploads.js";

interface UploadScoring {
  readonly crops: number;
  readonly microBatch: number;
  readonly onBatch: (windows: number) => void;
}

/** Scores of uploaded images: decoded a few at once on sharp's threads, scored in batches of whatever has come. */
export class UploadScorer {
  readonly #queue: ScoreQueue;
  readonly #limit = createLimiter(FILES_AT_ONCE);

  /** @param model  borrowed */
  constructor(
    private readonly model: Model,
    options: UploadScoring,
  ) {
    this.#queue = new ScoreQueue(model.opened.scorer, options);
  }

  /**
   * Scores images as `predict` does; one that cannot be used gives its error. When it ends, by an error of the engine too,
   * none of them is in work any more.
   */
  async score(uploads: readonly Upload[], images: ImageOptions): Promise<Prediction[]> {
    const scores = uploads.map((upload) => this.#score(upload, images));
    await Promise.allSettled(scores);
    return Promise.all(scores);
  }

  async #score(upload: Upload, images: ImageOptions): Promise<Prediction> {
    const { scorer, assumed } = this.model.opened;
    try {
      const { scored, isEnlarged } = await this.#limit(() => this.#begin(upload, images));
      return predictedImage(await scored, scorer.axes, { isEnlarged, heatmap: null, assumed });
    } catch (error) {
      if (error instanceof DataError) return { image: upload.name, error: error.message };
      throw error;
    }
  }

  /** Decodes an image and cuts its windows, which is all that stays of it. */
  async #begin(
    upload: Upload,
    images: ImageOptions,
  ): Promise<{ readonly scored: Promise<ScoredImage>; readonly isEnlarged: boolean }> {
    const { window } = this.model.opened.scorer;
    const decoded = await decodeImage(upload, images);
    const image = resized(sizeImage(decoded, { ...images, window }, upload.name));
    const isEnlarged = Math.min(decoded.rows, decoded.cols) < window;
    return { scored: this.#queue.score(upload.name, image), isEnlarged };
  }
}
