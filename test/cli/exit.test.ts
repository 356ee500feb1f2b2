import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { temporaryFolder } from "../support/runs.js";
import { IS_BUILT } from "./liqe.js";

/** Starts reads that never end, one for each argument after the first, and leaves with exit code 3. */
const PROGRAM = `
import { readFile, unlink } from "node:fs/promises";
import { leave } from ${JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, "dist/cli/main.js")).href)};
const [how, ...files] = process.argv.slice(1);
for (const file of files) readFile(file).catch(() => {});
process.exitCode = 3;
setTimeout(async () => {
  if (how === "unlinked") for (const file of files) await unlink(file);
  leave(files);
}, 200);
`;

async function endingOf(how: string, pipes: number): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const folder = temporaryFolder();
  const files = Array.from({ length: pipes }, (_, i) => join(folder, `pipe${i}`));
  if (pipes > 0) execFileSync("mkfifo", files);
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM, how, ...files], { stdio: "ignore" });
  return new Promise((resolve) => {
    child.on("exit", (code, signal) => {
      resolve({ code, signal });
    });
  });
}

describe.skipIf(!IS_BUILT)("leave (the compiled one)", () => {
  it.each([0, 1, 9])("ends with the process's exit code though %i named pipes are being opened", async (pipes) => {
    expect(await endingOf("there", pipes)).toEqual({ code: 3, signal: null });
  });

  it("ends by SIGKILL where a thread hangs for good, and not never", async () => {
    expect(await endingOf("unlinked", 1)).toEqual({ code: null, signal: "SIGKILL" });
  });
});
