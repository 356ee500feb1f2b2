import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { ConfigError } from "./errors.js";

/**
 * Makes a folder, and those above it that are missing, one after the other: Node's own recursive `mkdir` tries for ever
 * where a file system takes no folders and says ENOENT, as /proc does.
 *
 * @returns whether it was made here
 * @throws {ConfigError} where there can be no folder of that name; else the file system's own error
 */
export async function makeFolders(folder: string): Promise<boolean> {
  if (await isFolder(folder)) return false;
  const parent = path.dirname(path.resolve(folder));
  await makeFolders(parent);
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) {
      if (await isFolder(folder)) return false; // somebody was faster
      throw new ConfigError(`${folder}: is there and is no folder; give another name`, { cause: error });
    }
    if (!isCode(error, "ENOENT")) throw error;
    throw new ConfigError(`${folder}: no folder can be made in ${parent}; give another place`, { cause: error });
  }
}

async function isFolder(folder: string): Promise<boolean> {
  return stat(folder).then(
    (found) => found.isDirectory(),
    () => false, // making it says what is wrong
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
