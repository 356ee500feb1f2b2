/** `--isolate`: the command once more, in a sandbox of bubblewrap, for files that strangers made. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import path from "node:path";
import { ConfigError } from "../base/errors.js";
import { makeFolders } from "../base/folders.js";
import { PACKAGE_ROOT } from "../base/packageInfo.js";
import { engineRoot } from "../engine/install/pins.js";

/** Folders with other programs' sockets, by which a sandbox without a network could still ask them for something. */
const HIDDEN: readonly string[] = ["/tmp", "/run", "/var/run", "/var/tmp"];

/**
 * Everything to read and nothing to write, no network, no other processes, no rights, no terminal to type into; gone with
 * its parent.
 */
const SANDBOX: readonly string[] = [
  ...["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"],
  ...["--unshare-all", "--cap-drop", "ALL", "--new-session", "--die-with-parent"],
];

/**
 * Runs this process's own command line in the sandbox, with its input and output, and takes over its exit code.
 * @param writes  folders that the command writes to; made where they are missing
 * @throws {ConfigError} where there is no bubblewrap, or the system does not let it make a sandbox
 */
export async function runIsolated(writes: readonly string[]): Promise<void> {
  requireSandbox();
  const folders = writes.map((folder) => path.resolve(folder));
  for (const folder of folders) await makeFolders(folder);
  const hidden = realPaths([...HIDDEN, tmpdir()]);
  const args = [
    ...SANDBOX,
    ...hidden.flatMap((folder) => ["--tmpfs", folder]),
    ...shownIn(hidden).flatMap((file) => ["--ro-bind", file, file]),
    ...folders.flatMap((folder) => ["--bind", folder, folder]),
    ...["--chdir", process.cwd()],
    ...[process.execPath, ...process.execArgv, ...withoutIsolate(process.argv.slice(1))],
  ];
  const child = spawn("bwrap", args, { stdio: "inherit" });
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of STOPS) process.on(signal, passOn);
  await new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.exitCode = code ?? 128 + constants.signals[signal ?? "SIGKILL"];
      resolve();
    });
  });
  for (const signal of STOPS) process.off(signal, passOn);
}

const STOPS = ["SIGINT", "SIGTERM"] as const;

/** @throws {ConfigError} where no sandbox can be made here */
function requireSandbox(): void {
  const { status, error, stderr } = spawnSync("bwrap", [...SANDBOX, "true"], { encoding: "utf8" });
  if (status === 0) return;
  throw new ConfigError(
    error === undefined
      ? `--isolate: bubblewrap cannot make a sandbox here (${stderr.trim()}); the system has to allow user namespaces`
      : "--isolate: needs bubblewrap (the program bwrap of Linux), which is not there; install it " +
          "(apt install bubblewrap), or run the command in a container without a network",
  );
}

/** The words without the option: in the sandbox the command runs as usual. */
function withoutIsolate(words: readonly string[]): string[] {
  const end = words.indexOf("--");
  const isOption = (word: string, i: number) => (end === -1 || i < end) && /^--isolate(?:=.*)?$/.test(word);
  return words.filter((word, i) => !isOption(word, i));
}

/** Files of the command line, the current folder, the program and its engine, of those in hidden folders. */
function shownIn(hidden: readonly string[]): string[] {
  const above = path.dirname(PACKAGE_ROOT);
  const program = path.basename(above) === "node_modules" ? above : PACKAGE_ROOT; // with the packages that it needs
  const values = process.argv.slice(2).map((word) => word.replace(/^--[\w-]+=/, ""));
  const files = [process.execPath, program, engineRoot(), process.cwd(), ...values].filter((file) => existsSync(file));
  const places = new Set([...files.map((file) => path.resolve(file)), ...realPaths(files)]); // of a link, both its ends
  return [...places].filter((file) => hidden.some((folder) => file.startsWith(`${folder}/`)));
}

/** Real paths of what is there, once each. */
function realPaths(files: readonly string[]): string[] {
  return [...new Set(files.filter((file) => existsSync(file)).map((file) => realpathSync(file)))];
}
