import { FILES_AT_ONCE, mapConcurrent } from "../../base/concurrency.js";
import { DataError, StalledReadError } from "../../base/errors.js";
import { seededRandom } from "../../base/random.js";
import type { ReportProgress } from "../../base/types.js";
import { sha256OfImage } from "../../data/archives/archive.js";
import type { DataConfig } from "../../data/config.js";
import { createImageReader } from "../../data/loader/imageReader.js";
import type { Batch, StepPlace } from "../../data/loader/loader.js";
import type { ListedImage } from "../../data/sample.js";
import { kindOf } from "../../model/architecture/architecture.js";
import type { LiqeModel } from "../../model/liqe.js";
import { isVision, type NamedArrays } from "../../model/parameters/parameters.js";
import { evaluationCrops } from "../../model/preprocess/crops.js";
import { resized } from "../../model/preprocess/resize.js";
import { sumOf } from "../checkpoint/adapter.js";
import { featureFile, type ImageFeatures, readFeatures, writeFeatures } from "./featureFiles.js";

/** Place of kept features, and what they depend on besides weights and pixels. */
interface StoreOptions {
  /** Made where it is missing; null to keep them in memory alone. */
  readonly folder: string | null;
  readonly data: DataConfig;
  readonly engine: { readonly backend: string; readonly threads: number };
  /** Told of images that are read in spite of their damage. */
  readonly note: (line: string) => void;
}

/** Image, and the number of its evaluation windows that are encoded. */
interface FeatureRequest {
  readonly file: string;
  readonly crops: number;
}

/** Listener of a store that is being filled, and the request to stop. */
interface FillPorts {
  readonly report: ReportProgress;
  readonly signal: Pick<AbortSignal, "aborted">;
}

/**
 * Features of images by an image encoder that stays as it is: computed once, then read from disk. An entry is known by the
 * SHA-256 of the encoder's weights and of the image's file, by its windows and the rules for reading it, and by the
 * engine, on which last bits depend; one that is damaged is computed anew. An image's windows are encoded by themselves,
 * so that its features depend on nothing else.
 */
export class FeatureStore {
  /** Images that were encoded, and the seconds in which at least one was being read or encoded. */
  readonly encoded = { images: 0, seconds: 0 };
  readonly #reader: ReturnType<typeof createImageReader>;
  readonly #key: readonly unknown[];
  readonly #sums = new Map<string, Promise<string>>();
  readonly #looks = new Map<string, string>();
  /** In place of a folder. */
  readonly #known = new Map<string, Promise<ImageFeatures>>();
  /** Images that are being read or encoded, and since when there is one. */
  #atWork = { images: 0, sinceMs: 0 };
  /** Requests that are not answered yet. */
  readonly #asked = new Set<Promise<unknown>>();
  /** Settled where nothing is being encoded: one image after the other. */
  #encoding: Promise<unknown> = Promise.resolve();

  /**
   * @param model    borrowed as long as this lives
   * @param weights  of its image encoder, borrowed for the call
   */
  constructor(
    private readonly model: LiqeModel,
    weights: NamedArrays,
    private readonly options: StoreOptions,
  ) {
    const { data, engine, note } = options;
    const { small, maxMegapixels, onDamage } = data;
    this.#reader = createImageReader({ ...data, cacheMB: 0, window: model.window }, note);
    const vision = new Map([...weights].filter(([name]) => isVision(name)));
    const { vision: kind } = kindOf(model.architecture);
    this.#key = [sumOf(vision), kind, model.window, small, maxMegapixels, onDamage, engine.backend, engine.threads];
  }

  /** Looks of the images whose features were asked for, by file. */
  get looks(): ReadonlyMap<string, string> {
    return this.#looks;
  }

  /** Never fulfilled; rejected where an image does not come in time. */
  get stalled(): Promise<never> {
    return this.#reader.stalled;
  }

  /**
   * Features of an image's evaluation windows, `crops` of them or all of fewer.
   * @throws {DataError} where it cannot be read
   */
  async of(request: FeatureRequest): Promise<ImageFeatures> {
    const found = this.#find(request);
    this.#asked.add(found);
    try {
      return await found;
    } finally {
      this.#asked.delete(found);
    }
  }

  async #find({ file, crops }: FeatureRequest): Promise<ImageFeatures> {
    const { folder } = this.options;
    const key = JSON.stringify([...this.#key, await this.#sumOf(file), crops]);
    const found = folder === null ? await this.#inMemory(key, { file, crops }) : await this.#onDisk(folder, key, { file, crops }); // prettier-ignore
    this.#looks.set(file, found.look);
    return found;
  }

  /**
   * Computes what is not kept yet, and says how far it is.
   * @returns false where `signal` ended it
   * @throws {DataError} for an image that cannot be read, unless it may be left out
   */
  async fill(
    requests: readonly (FeatureRequest & { readonly mayFail: boolean })[],
    ports: FillPorts,
  ): Promise<boolean> {
    const { report, signal } = ports;
    let done = 0;
    await mapConcurrent(requests, FILES_AT_ONCE, async ({ mayFail, ...request }) => {
      if (signal.aborted) return;
      await this.of(request).catch((error: unknown) => {
        if (!mayFail || !(error instanceof DataError) || error instanceof StalledReadError) throw error;
      });
      report({ label: "image features", done: ++done, total: requests.length, unit: "images" });
    });
    return done === requests.length;
  }

  #sumOf(file: string): Promise<string> {
    const known = this.#sums.get(file) ?? sha256OfImage(file).catch(() => `unreadable ${file}`); // decoding it says why
    this.#sums.set(file, known);
    return known;
  }

  #inMemory(key: string, request: FeatureRequest): Promise<ImageFeatures> {
    const known = this.#known.get(key) ?? this.#compute(request);
    this.#known.set(key, known);
    return known;
  }

  async #onDisk(folder: string, key: string, request: FeatureRequest): Promise<ImageFeatures> {
    const file = featureFile(folder, key);
    const kept = await readFeatures(file, this.model.architecture.embedding);
    if (kept !== null) return kept;
    const computed = await this.#compute(request);
    await writeFeatures(file, computed);
    return computed;
  }

  async #compute(request: FeatureRequest): Promise<ImageFeatures> {
    if (this.#atWork.images++ === 0) this.#atWork.sinceMs = performance.now();
    try {
      return await this.#readAndEncode(request);
    } finally {
      if (--this.#atWork.images === 0) this.encoded.seconds += (performance.now() - this.#atWork.sinceMs) / 1000;
    }
  }

  async #readAndEncode({ file, crops }: FeatureRequest): Promise<ImageFeatures> {
    const image = await this.#reader.read(file);
    const look = this.#reader.looks.get(file) ?? "";
    const pixels = evaluationCrops(resized(image), crops, this.model.window);
    this.#reader.release(image);
    const encoding = this.#encoding.then(() => this.#encode(pixels));
    this.#encoding = encoding.catch(() => undefined);
    return { values: await encoding, crops: pixels.length / this.model.cropSize, look };
  }

  async #encode(pixels: Uint8Array): Promise<Float32Array> {
    const features = await this.model.imageFeaturesLater(pixels);
    const values = Float32Array.from(features.dataSync()); // the engine may hand out its own memory
    features.dispose();
    this.encoded.images++;
    return values;
  }

  /** Resolves when all that was asked for is answered: until then the model is used. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#asked);
    this.#reader.close();
  }
}

/** Numbers of windows that a step takes of an image, and that are kept of it. */
interface Draw {
  readonly seed: number;
  readonly cropsPerImage: number;
  readonly crops: number;
}

/**
 * Fills a step's batch from kept features: of each image `cropsPerImage` of its windows, drawn by seed, epoch, step and
 * image; different ones as long as it has enough.
 */
export function fillFromFeatures(store: FeatureStore, { seed, cropsPerImage, crops }: Draw) {
  const drawn = async ({ database, image, file }: ListedImage, { epoch, step }: StepPlace) => {
    const { values, crops: kept } = await store.of({ file, crops });
    const order = seededRandom(seed, "windows", epoch, step, database, image).shuffle([...Array(kept).keys()]);
    const width = values.length / kept;
    return Array.from({ length: cropsPerImage }, (_, i) => {
      const window = order[i % kept] ?? NaN;
      return values.subarray(window * width, (window + 1) * width);
    });
  };
  return async (blocks: readonly { readonly samples: readonly ListedImage[] }[], place: StepPlace) => {
    const samples = blocks.flatMap((block) => block.samples);
    const rows = (await Promise.all(samples.map((sample) => drawn(sample, place)))).flat();
    const width = rows[0]?.length ?? 0;
    const features = new Float32Array(rows.length * width);
    rows.forEach((row, i) => {
      features.set(row, i * width);
    });
    const nothing = { versions: [], unreadable: [] as Batch["unreadable"] };
    return { pixels: new Uint8Array(0), features, samples, ...nothing };
  };
}
