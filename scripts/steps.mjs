// What quickstart.mjs and test.mjs share: named steps with their time, and an installation that is there when needed.
// Node's own modules only, since it runs before `npm ci`.
import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A program ended with another code than 0; `exitCode` is what the script ends with. */
export class StepError extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs `work`, says its name before and its time after, and passes on what it returns. */
export async function step(name, work) {
  const startedAtMs = performance.now();
  console.error(`\n== ${name}`);
  const result = await work();
  console.error(`== ${name}: ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`);
  return result;
}

/**
 * Runs a program in the checkout, with the terminal as its own.
 *
 * @param {string} program a path or name
 * @param {readonly string[]} args
 * @throws {StepError} where it ends with another code than 0
 */
export async function run(program, args) {
  const { code, signal } = await new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: "inherit" });
    const passOn = () => child.kill("SIGTERM");
    process.on("SIGTERM", passOn);
    child.on("close", () => process.off("SIGTERM", passOn));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  if (code === 0) return;
  const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
  throw new StepError(`${[program, ...args].join(" ")} ${how}`, code ?? 1);
}

/** A development tool by its package's own program file, so that no shell is needed to find it. */
export function tool(path, ...args) {
  return run(process.execPath, [join(ROOT, "node_modules", path), ...args]);
}

/** Compiles src/ to dist/, where tsc compiles what changed since the last time, and copies the binding's source there. */
export async function build() {
  await tool("typescript/bin/tsc", "-p", "tsconfig.build.json");
  mkdirSync(join(ROOT, "dist/engine/binding"), { recursive: true });
  copyFileSync(join(ROOT, "src/engine/binding/engine.cc"), join(ROOT, "dist/engine/binding/engine.cc"));
}

/** `liqe` of this checkout, compiled before. */
export function liqe(...args) {
  return run(process.execPath, [join(ROOT, "bin", "liqe.js"), ...args]);
}

/** `npm ci` where node_modules is missing or older than the lockfile; npm's own settings and mirror count. */
export async function install() {
  requireNode();
  const installed = join(ROOT, "node_modules", ".package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(ROOT, "package-lock.json")).mtimeMs) {
    console.error("kept: node_modules is as the lockfile says");
    return;
  }
  const npm = process.env["npm_execpath"];
  await (npm === undefined ? run("npm", ["ci"]) : run(process.execPath, [npm, "ci"]));
}

/** @throws {StepError} where Node is older than package.json asks for: npm only warns of that, and of newer packages' wishes */
function requireNode() {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const [oldest, here] = [engines.node.replace(">=", ""), process.versions.node];
  const [[oldMajor, oldMinor], [major, minor]] = [oldest, here].map((version) => version.split(".").map(Number));
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return;
  throw new StepError(`needs Node ${oldest} or later, this is ${here}; get one from nodejs.org`, 2);
}

/** The native engine where it can be had; otherwise one line, and WebAssembly computes. */
export async function provideEngine() {
  try {
    await liqe("engine", "install");
  } catch (error) {
    if (!(error instanceof StepError) || error.exitCode === 130) throw error;
    console.error("No native engine: going on with WebAssembly, which is several times slower.");
  }
}

/** Runs the script's recipe; a failed step ends it with that step's exit code. */
export async function main(recipe) {
  // A terminal's Ctrl-C reaches the running program too, which saves and ends with its own code: wait for that.
  process.on("SIGINT", () => {});
  try {
    await recipe();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(`\n${error.message}`);
    process.exitCode = error.exitCode;
  }
}
