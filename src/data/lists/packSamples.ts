/** Samples of a list in columns: 10 million of them are to fit where an object with strings each would not. */
import path from "node:path";
import { PackedTexts } from "../packedTexts.js";
import type { ListedImage, Sample } from "../sample.js";
import { normalizePath } from "./entries.js";

/** Samples of one block of columns. */
const BLOCK = 65_536;

/** Facts that all samples of a list share. */
type ListFacts = Pick<Sample, "database" | "folder" | "list">;

/** Columns of a block: an entry for each sample. */
interface Columns extends ListFacts {
  readonly images: PackedTexts;
  /** Contents, empty for one that is not told; null where none is. */
  readonly contents: PackedTexts | null;
  readonly mos: Float64Array;
  /** NaN for a deviation that is not known; null where none is. */
  readonly deviations: Float64Array | null;
  /** -1 for a label that is missing. */
  readonly distortions: Int32Array;
  readonly scenes: Uint32Array;
  /** Scenes by the numbers that `scenes` has. */
  readonly sceneSets: readonly (readonly number[])[];
  readonly lines: Float64Array;
}

/** Sample whose parts are read from their columns whenever they are asked for. */
class PackedSample implements Sample {
  readonly columns: Columns;
  readonly place: number;

  constructor(columns: Columns, place: number) {
    this.columns = columns;
    this.place = place;
  }

  get database() {
    return this.columns.database;
  }

  get folder() {
    return this.columns.folder;
  }

  get list() {
    return this.columns.list;
  }

  get image() {
    return this.columns.images.at(this.place);
  }

  get file() {
    return `${this.folder}${path.sep}${normalizePath(this.image)}`;
  }

  get line() {
    return this.columns.lines[this.place] ?? NaN;
  }

  get mos() {
    return this.columns.mos[this.place] ?? NaN;
  }

  get mosStd() {
    const deviation = this.columns.deviations?.[this.place] ?? NaN;
    return Number.isNaN(deviation) ? null : deviation;
  }

  get distortion() {
    const index = this.columns.distortions[this.place] ?? -1;
    return index < 0 ? null : index;
  }

  get scenes() {
    return this.columns.sceneSets[this.columns.scenes[this.place] ?? 0] ?? [];
  }

  get content(): string | undefined {
    const content = this.columns.contents?.at(this.place);
    return content === "" ? undefined : content;
  }

  toJSON(): Sample {
    const { database, image, file, folder, mos, mosStd, distortion, scenes, content, list, line } = this;
    const told = content === undefined ? {} : { content };
    return { database, image, file, folder, mos, mosStd, distortion, scenes, ...told, list, line };
  }
}

/** Image whose parts are its own, as `{ ...image }` needs them: those of a packed one are its class's. */
export function unpacked<I extends ListedImage>(image: I): I;
export function unpacked(image: ListedImage): ListedImage {
  return image instanceof PackedSample ? image.toJSON() : image;
}

/** Packer of the samples of one list, which takes them in the order of their lines. */
export class SamplePacker {
  readonly samples: Sample[] = [];
  readonly #facts: ListFacts;
  readonly #sceneSets: (readonly number[])[] = [];
  readonly #sceneNumbers = new Map<string, number>();
  /** Samples that are not packed yet. */
  #waiting: Sample[] = [];

  /** @param facts  of all samples of the list; their files are their paths in its folder */
  constructor(facts: ListFacts) {
    this.#facts = facts;
  }

  get length(): number {
    return this.samples.length + this.#waiting.length;
  }

  add(sample: Sample): void {
    this.#waiting.push(sample);
    if (this.#waiting.length === BLOCK) this.#pack();
  }

  /** Path of a sample by its place, as the list has it. */
  imageAt(place: number): string {
    const { length } = this.samples;
    return (place < length ? this.samples[place] : this.#waiting[place - length])?.image ?? "";
  }

  lineAt(place: number): number {
    const { length } = this.samples;
    return (place < length ? this.samples[place] : this.#waiting[place - length])?.line ?? NaN;
  }

  /** Samples that were added, packed. */
  finish(): Sample[] {
    this.#pack();
    return this.samples;
  }

  #pack(): void {
    const samples = this.#waiting;
    if (samples.length === 0) return;
    const hasContents = samples.some(({ content }) => content !== undefined);
    const columns: Columns = {
      ...this.#facts,
      images: new PackedTexts(samples.map(({ image }) => image)),
      contents: hasContents ? new PackedTexts(samples.map(({ content = "" }) => content)) : null,
      mos: Float64Array.from(samples, ({ mos }) => mos),
      deviations: samples.some(({ mosStd }) => mosStd !== null)
        ? Float64Array.from(samples, ({ mosStd }) => mosStd ?? NaN)
        : null,
      distortions: Int32Array.from(samples, ({ distortion }) => distortion ?? -1),
      scenes: Uint32Array.from(samples, ({ scenes }) => this.#numberOf(scenes)),
      sceneSets: this.#sceneSets,
      lines: Float64Array.from(samples, ({ line }) => line),
    };
    for (let place = 0; place < samples.length; place++) this.samples.push(new PackedSample(columns, place));
    this.#waiting = [];
  }

  #numberOf(scenes: readonly number[]): number {
    const key = scenes.join();
    const known = this.#sceneNumbers.get(key);
    if (known !== undefined) return known;
    this.#sceneNumbers.set(key, this.#sceneSets.length);
    return this.#sceneSets.push([...scenes]) - 1;
  }
}
