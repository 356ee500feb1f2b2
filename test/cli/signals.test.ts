import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { IS_BUILT } from "./liqe.js";

/** Listens, says "ready", and ends with the contract's code 50 ms after the first signal. */
const PROGRAM = `
import { listenForStop } from ${JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, "dist/cli/signals.js")).href)};
const stop = listenForStop((line) => console.error(line));
const waiting = setInterval(() => {}, 1000);
stop.signal.addEventListener("abort", () => {
  console.log("asked", stop.signal.reason);
  if (process.argv[1] === "stubborn") setTimeout(() => console.log("still there"), 1500);
  if (process.argv[1] === "stubborn") return;
  clearInterval(waiting);
  process.exitCode = stop.exitCode();
});
if (process.argv[1] === "testing") stop.setEffect("end", "stopped; what was trained is saved");
console.log("ready");
`;

/** Sends the signals, each after the program's next line of output, and waits for its end. */
async function outcomeOf(
  name: string,
  signals: readonly NodeJS.Signals[],
): Promise<{ code: number | null; output: string; notices: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM, name]);
  const left = [...signals];
  let output = "";
  let notices = "";
  child.stderr.on("data", (chunk: Buffer) => {
    notices += chunk.toString();
  });
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    const next = left.shift();
    if (next !== undefined) child.kill(next);
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, output, notices };
}

describe.skipIf(!IS_BUILT)("listenForStop (the compiled one)", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("asks to stop at %s, and the program ends in its own time with %i", async (signal, code) => {
    expect(await outcomeOf("obedient", [signal])).toMatchObject({ code, output: `ready\nasked ${signal}\n` });
  });

  it("ends at once at the first signal while nothing is left to be saved", async () => {
    expect(await outcomeOf("testing", ["SIGTERM"])).toEqual({
      code: 143,
      output: "ready\n",
      notices: "SIGTERM: stopped; what was trained is saved\n",
    });
  });

  it("takes copies of the first signal for it, and ends at once at a later one", async () => {
    expect(await outcomeOf("stubborn", ["SIGINT", "SIGINT", "SIGINT"])).toMatchObject({
      code: 130,
      output: "ready\nasked SIGINT\nstill there\n",
    });
  });
});
