/** The pictures of the page, scored one after the other. */
import type { LiqeScore } from "liqe-train/inference";

type PictureState =
  | { readonly kind: "waiting" | "scoring" }
  | { readonly kind: "scored"; readonly score: LiqeScore; readonly size: { readonly width: number; readonly height: number } }
  | { readonly kind: "failed"; readonly error: string }; // prettier-ignore

export interface Picture {
  readonly id: number;
  readonly name: string;
  readonly file: Blob;
  /** Null until it is decoded. */
  thumbnail: HTMLCanvasElement | null;
  state: PictureState;
}

/** All pictures in the order in which they were added, and those of them that are scored together. */
export class Pictures {
  readonly all: Picture[] = [];
  /** Added since the last time that all were done: what progress is counted over. */
  #batch: Picture[] = [];
  #added = 0;
  #startedAtMs = 0;

  /** Adds files, which have names unless they were pasted. */
  add(files: readonly Blob[]): readonly Picture[] {
    if (this.#batch.every(isDone)) {
      this.#batch = [];
      this.#startedAtMs = performance.now();
    }
    const added = files.map((file): Picture => {
      const id = ++this.#added;
      const name = file instanceof File && file.name !== "" ? file.name : `picture ${id}`;
      return { id, name, file, thumbnail: null, state: { kind: "waiting" } };
    });
    this.all.push(...added);
    this.#batch.push(...added);
    return added;
  }

  clear(): void {
    this.all.length = 0;
    this.#batch = [];
  }

  /** Undefined for one that was removed meanwhile. */
  byId(id: number): Picture | undefined {
    return this.all.find((picture) => picture.id === id);
  }

  next(): Picture | undefined {
    return this.all.find(({ state }) => state.kind === "waiting");
  }

  /** Of the pictures that are scored together. */
  progress(): { readonly done: number; readonly total: number; readonly failed: number; readonly seconds: number } {
    return {
      done: this.#batch.filter(isDone).length,
      total: this.#batch.length,
      failed: this.#batch.filter(({ state }) => state.kind === "failed").length,
      seconds: (performance.now() - this.#startedAtMs) / 1000,
    };
  }
}

function isDone({ state }: Picture): boolean {
  return state.kind === "scored" || state.kind === "failed";
}
