import { spawn } from "node:child_process";

interface Outcome {
  /** Exit code; null where the program could not be started or was killed. */
  readonly code: number | null;
  /** Standard output and error together. */
  readonly output: string;
}

interface ProgramOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program and waits for its end, which may be a failure; its output is returned and not shown. */
export function runProgram(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...options.env };
    const child = spawn(program, args, { cwd: options.cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", (error) => {
      resolve({ code: null, output: error.message });
    });
    child.on("close", (code, signal) => {
      const killed = signal === null ? "" : `killed by ${signal}`;
      resolve({ code, output: Buffer.concat(chunks).toString() + killed });
    });
  });
}

/** Last lines that are not empty, for an error message. */
export function lastLines(output: string, count: number): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-count).join("\n");
}
