/** Proves a binding with a matrix product, in a process of its own: a library that does not fit may end it. */
import { fileURLToPath } from "node:url";
import { EngineError } from "../../base/errors.js";
import { lastLines, runProgram } from "./runProgram.js";
import type { Proof } from "./verifyChild.js";

/** @throws {EngineError} where the binding does not load or computes something else, with the end of its words */
export async function proveBinding(binding: string): Promise<Proof> {
  const child = fileURLToPath(new URL("./verifyChild.js", import.meta.url));
  const { code, output } = await runProgram(process.execPath, [child, binding]);
  const answer = lastLines(output, 1);
  if (code === 0 && answer.startsWith("{")) return JSON.parse(answer) as Proof; // written by proveChild.ts
  throw new EngineError(`${binding}: was built, but does not compute (exit ${code}):\n${lastLines(output, 4)}`);
}
