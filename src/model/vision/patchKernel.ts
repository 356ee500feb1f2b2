import { PATCH_KERNEL } from "./patchKernelBytes.js";

/** A crop's patches as runs of pixels that stand side by side in the crop as in the patches. */
export interface PixelRuns {
  /** Where each run begins in the crop, in the patches' order. */
  readonly starts: Int32Array;
  /** Numbers of each run, the same for all. */
  readonly length: number;
}

/** Looks one crop's bytes up in a table, run after run: `pixels` [starts · length] → `to`, of as many numbers. */
export type LookUp = (pixels: Uint8Array, to: Float32Array) => void;

/** What of WebAssembly is used here: neither Node's types nor the language's have it. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
      readonly CompileError: new () => Error;
    }
  | undefined;

/** What patchKernel.wat exports. */
interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly lookUp: (starts: number, runs: number, length: number, pixels: number, to: number) => void;
}

const PAGE = 65_536;
const FLOAT = 4;

/**
 * The lookup in WebAssembly, which takes less than half of the time that JavaScript takes (docs/performance.md, Reading
 * images).
 * It works in 5 bytes of its own for each number of a crop.
 *
 * @param table  [3 channels, 256]
 * @returns      null where there is no WebAssembly, or a page's security policy forbids it
 */
export function compiledLookUp(table: Float32Array, { starts, length }: PixelRuns): LookUp | null {
  const kernel = openKernel();
  if (kernel === null) return null;
  const numbers = starts.length * length;
  const startsAt = table.byteLength;
  const toAt = startsAt + starts.byteLength;
  const pixelsAt = toAt + numbers * FLOAT;
  const { memory, lookUp } = kernel;
  memory.grow(Math.ceil((pixelsAt + numbers) / PAGE)); // the page that it begins with is room to spare
  new Float32Array(memory.buffer, 0, table.length).set(table);
  new Int32Array(memory.buffer, startsAt, starts.length).set(starts);
  const bytes = new Uint8Array(memory.buffer, pixelsAt, numbers);
  const floats = new Float32Array(memory.buffer, toAt, numbers);
  return (pixels, to) => {
    bytes.set(pixels);
    lookUp(startsAt, starts.length, length, pixelsAt, toAt);
    to.set(floats);
  };
}

function openKernel(): Kernel | null {
  if (typeof WebAssembly === "undefined") return null;
  const bytes = Uint8Array.from(atob(PATCH_KERNEL), (character) => character.charCodeAt(0));
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return exports as Kernel; // what the source says it exports
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof EvalError) return null; // Safari has the latter
    throw error;
  }
}
