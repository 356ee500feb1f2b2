import { plural } from "../../base/text.js";

/** Told of a damaged image that was read all the same, once for each reading. */
export type OnDamaged = (file: string, reason: string) => void;

/** Damaged images that are named; the others are counted. */
const NAMED = 5;

/** Log of damaged images that are read as PIL reads them: the first few by name, and at the end how many there were. */
export class DamageLog {
  readonly #files = new Set<string>();
  readonly #note: (line: string) => void;

  constructor(note: (line: string) => void) {
    this.#note = note;
  }

  readonly onDamaged: OnDamaged = (file, reason) => {
    if (this.#files.has(file)) return;
    this.#files.add(file);
    if (this.#files.size > NAMED) return;
    this.#note(`${file}: is damaged (${reason}), read as PIL reads it; data.onDamage: refuse stops at such files`);
  };

  /** Notes how many there were, where not all of them were named. */
  close(): void {
    if (this.#files.size > NAMED)
      this.#note(`${plural(this.#files.size, "damaged image")} were read as PIL reads them`);
    this.#files.clear();
  }
}
