/** The first way to a wheel: `pip download`, so that a user's mirror, proxy and certificates count. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "../../base/errors.js";
import type { ReportProgress } from "../../base/types.js";
import { parseWheelName, type WheelPin } from "./pins.js";
import { lastLines, runProgram } from "./runProgram.js";

/** A program and its first arguments. */
export type Pip = readonly [program: string, ...args: string[]];

const PIPS: readonly Pip[] = [["python3", "-m", "pip"], ["python", "-m", "pip"], ["pip3"], ["pip"]];
const LOOK_EVERY_MS = 250;

/** The first pip that answers, or null. */
export async function findPip(): Promise<Pip | null> {
  for (const pip of PIPS) {
    const [program, ...args] = pip;
    if ((await runProgram(program, [...args, "--version"])).code === 0) return pip;
  }
  return null;
}

/**
 * Downloads one wheel into `folder`, which must be empty, and returns its path.
 *
 * @throws {EngineError} with the end of pip's own words
 */
export async function downloadWithPip(
  pip: Pip,
  pin: WheelPin,
  folder: string,
  report: ReportProgress,
): Promise<string> {
  const [program, ...first] = pip;
  const { project, version, platforms } = parseWheelName(pin.file);
  const target = ["--python-version", "3.12", ...platforms.flatMap((platform) => ["--platform", platform])];
  const kind = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check"];
  const args = [...first, "download", ...kind, ...target, "--dest", folder, `${project}==${version}`];
  // pip's bar is made for eyes, so the file is watched instead; with this TMPDIR pip lets it grow inside the folder.
  const watch = setInterval(() => {
    void sizeOf(folder).then((done) => {
      report({ label: `download ${project}`, done: Math.min(done, pin.bytes), total: pin.bytes, unit: "bytes" });
    });
  }, LOOK_EVERY_MS);
  const { code, output } = await runProgram(program, args, { env: { TMPDIR: folder } }).finally(() => {
    clearInterval(watch);
  });
  const path = join(folder, pin.file);
  if (code === 0 && (await sizeOf(path)) > 0) return path;
  throw new EngineError(
    `pip download ${project}==${version} failed:\n${lastLines(output, 3)}\n` +
      `Get ${pin.file} another way and give it with --wheel FILE.`,
  );
}

/** Bytes of a file, or of all files under a folder; 0 for what is not there, or no more. */
async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) return found.size;
    const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0;
  }
}
