import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

/** Whether the checkout is compiled, as `npm test` leaves it: the program itself can be tried only then. */
export const IS_BUILT = existsSync(join(PACKAGE_ROOT, "dist", "cli", "main.js"));

export interface Outcome {
  readonly exitCode: number | null;
  readonly output: string;
  readonly messages: string;
}

/** Runs the compiled program as a user's shell would, with neither a terminal nor colours. */
export function liqe(args: readonly string[], { cwd = PACKAGE_ROOT, env = {}, input = "" } = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(PACKAGE_ROOT, "bin", "liqe.js"), ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", LIQE_DEBUG: "0", ...env },
    encoding: "utf8",
    input,
  });
  return { exitCode: status, output: stdout, messages: stderr };
}
