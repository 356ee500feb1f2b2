import { CheckpointError } from "../../base/errors.js";

/** Ends the reading of a weight file: `where` is the file, `what` says what is wrong with it and what to do. */
export function refuse(where: string, what: string): never {
  throw new CheckpointError(`${where}: ${what}`);
}

/** A text from a file as it may stand in a message: quoted, without control characters, not long. */
export function shown(text: string): string {
  const LONGEST = 80;
  return JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text);
}
