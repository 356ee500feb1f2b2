/**
 * Wheels on their way: downloaded, checked, and kept in the cache until what they are for is whole, so that an
 * interrupted installation of several gigabytes goes on where it was.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { EngineError } from "../../base/errors.js";
import { withStagingFolder } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { engineRoot } from "./cache.js";
import { downloadByAddress } from "./packageIndex.js";
import type { WheelPin } from "./pins.js";
import { parseWheelName } from "./pins.js";
import { downloadWithPip, findPip } from "./pip.js";

const stored = (pin: WheelPin): string => join(engineRoot(), "wheels", pin.file);

/**
 * Lends `use` the path of a wheel that was checked: the one of `given` that bears its name, else the one kept, else a
 * fresh one.
 *
 * @throws {EngineError} where it cannot be had or is not the pinned one
 */
export async function withWheel(
  pin: WheelPin,
  given: readonly string[],
  report: ReportProgress,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const own = given.find((path) => basename(path) === pin.file);
  if (own !== undefined) {
    await checkWheel(own, pin, report);
    await use(own);
    return;
  }
  await withStagingFolder(engineRoot(), async (folder) => {
    await use(await take(pin, folder, report));
  });
}

/** Forgets the wheels kept; an installation that uses one at this moment has a name of its own for it. */
export async function dropWheels(pins: readonly WheelPin[]): Promise<void> {
  for (const pin of pins) await rm(stored(pin), { force: true });
}

/** @throws {EngineError} naming every file that no pin asks for */
export function rejectUnknownWheels(given: readonly string[], pins: readonly WheelPin[]): void {
  const strangers = given.filter((path) => pins.every(({ file }) => file !== basename(path)));
  if (strangers.length === 0) return;
  const wanted = pins.map(({ file }) => `  ${file}`).join("\n");
  throw new EngineError(`--wheel: ${strangers.join(", ")} is not what this flavour is made of, which is\n${wanted}`);
}

/** The wheel under a name of our own in `folder`, taken from the store or downloaded and stored. */
async function take(pin: WheelPin, folder: string, report: ReportProgress): Promise<string> {
  const own = join(folder, pin.file);
  if (await linked(stored(pin), own)) {
    await checkWheel(own, pin, report);
    return own;
  }
  const pip = await findPip();
  if (pip === null) await downloadByAddress(pin, folder, report);
  else await downloadWithPip(pip, pin, folder, report);
  await checkWheel(own, pin, report);
  await mkdir(join(engineRoot(), "wheels"), { recursive: true });
  await linked(own, stored(pin)); // where it fails, as on a file system without links, the next try downloads again
  return own;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch {
    return false;
  }
}

/** Reads a wheel through and compares it with its pin. @throws {EngineError} where it is another file */
async function checkWheel(path: string, pin: WheelPin, report: ReportProgress): Promise<void> {
  const { size: total } = await stat(path);
  const hash = createHash("sha256");
  const label = `check ${parseWheelName(pin.file).project}`;
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const bytes = chunk as Buffer; // no encoding was asked for
    hash.update(bytes);
    done += bytes.length;
    report({ label, done, total, unit: "bytes" });
  }
  const sha256 = hash.digest("hex");
  if (sha256 === pin.sha256) return;
  throw new EngineError(
    `${path}: SHA-256 is ${sha256} (${total} bytes), but ${pin.file} has ${pin.sha256} (${pin.bytes} bytes); ` +
      (basename(path) === pin.file ? "it is damaged or was replaced: remove it and try again" : "give that file"),
  );
}
