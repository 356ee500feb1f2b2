import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A reader of one kind of file. */
export interface Reader {
  readonly name: string;
  /** Name that a changed file gets. */
  readonly file: string;
  /** Files to change. */
  readonly files: readonly Uint8Array[];
  /** Reads a file; what it gives is checked there. @throws the program's own errors alone, for files that are refused */
  readonly read: (file: string) => Promise<void>;
}

/** @throws where what was read breaks a promise of the reader: no error of the program's */
export function promise(isKept: boolean, what: string): void {
  if (!isKept) throw new TypeError(`read all the same, though ${what}`);
}

/** Writes a changed file where its reader finds it. */
export function place(folder: string, { file }: Reader, bytes: Uint8Array): string {
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
  const path = join(folder, file);
  writeFileSync(path, bytes);
  return path;
}
