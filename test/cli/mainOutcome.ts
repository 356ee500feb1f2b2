import { vi } from "vitest";
import { main } from "../../src/cli/main.js";

/** Runs `main` in this process; what it prints is caught, and the process's exit code is left as it was. */
export async function mainOutcome(args: readonly string[]) {
  const written = { output: "", messages: "" };
  const log = vi.spyOn(console, "log").mockImplementation((text: string) => {
    written.output += `${text}\n`; // yargs prints its help so
  });
  const error = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written.messages += String(text);
    return true;
  });
  try {
    await main(args);
    return { exitCode: process.exitCode, ...written };
  } finally {
    process.exitCode = undefined;
    log.mockRestore();
    error.mockRestore();
  }
}
