import path from "node:path";
import { NoSpaceError } from "../../base/errors.js";
import { isNoSpace } from "../../base/files.js";
import { holdsCheckpoint, RUN_FILES } from "../../train/checkpoint/runFolder.js";

/**
 * Does the work; where it meets a full disk, says so with what is left of the run in the split's folder.
 *
 * @throws {NoSpaceError} in place of the file system's error; any other error as it is
 */
export async function namingFullDisk<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    const whole = [RUN_FILES.last, RUN_FILES.previous].map((name) => path.join(folder, name)).find(holdsCheckpoint);
    const left = whole === undefined ? "no checkpoint was saved yet" : `${whole} is whole`;
    throw new NoSpaceError(
      `${folder}: stopped, no room for what was to be written (${error.message}); ${left}. ` +
        `Make room and go on with: liqe train --resume ${folder}`,
      { cause: error },
    );
  }
}
