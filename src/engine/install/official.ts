/** The package's own way: its installer downloads TensorFlow 2.9.1 (CUDA 11.2), with no checksum, into the package. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { EngineError } from "../../base/errors.js";
import { packageFolder } from "../packages.js";
import { BINDING_PACKAGE, NODE_API_VERSION } from "./pins.js";
import { lastLines, runProgram } from "./runProgram.js";

/** Where that installer puts the binding; null where the package itself is missing. */
export function officialBinding(): string | null {
  const folder = packageFolder(BINDING_PACKAGE);
  return folder === null ? null : join(folder, "lib", `napi-v${NODE_API_VERSION}`, "tfjs_binding.node");
}

/**
 * Runs the installer, which writes inside node_modules, and returns the binding.
 *
 * @throws {EngineError} with the end of its words: it needs its own server, and ends with 0 in some of its failures
 */
export async function installOfficial(): Promise<string> {
  const folder = packageFolder(BINDING_PACKAGE);
  const binding = officialBinding();
  if (folder === null || binding === null) {
    throw new EngineError(`engine install: the optional package ${BINDING_PACKAGE} is not installed`);
  }
  const programs = [join(folder, "node_modules", ".bin"), join(folder, "..", "..", ".bin")]; // as npm would set it
  const env = { PATH: [...programs, process.env["PATH"] ?? ""].join(delimiter) };
  const args = [join("scripts", "install.js"), "gpu", "download"];
  const { code, output } = await runProgram(process.execPath, args, { cwd: folder, env });
  if (code === 0 && existsSync(binding)) return binding;
  throw new EngineError(
    `the package's own installer did not succeed (exit ${code}):\n${errorLine(output)}\n` +
      "It needs its own download server; `liqe engine install` without --source official needs the Python index only.",
  );
}

/** The line that names the error; behind it, an installer that crashes prints a stack and its Node's version. */
function errorLine(output: string): string {
  const named = output.split("\n").findLast((line) => /\berror:/i.test(line));
  return named?.trim() ?? lastLines(output, 4);
}
