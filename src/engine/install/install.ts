import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../base/errors.js";
import { writeFileAtomic } from "../../base/files.js";
import { createFolderAtomically, makeFolders, removeFolderAtomically } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { NO_ONEDNN_FILE, ONEDNN_SWITCH, processor } from "../backend/native.js";
import { LOG_MODULE } from "../backend/nativeLog.js";
import { loadModule, packageFolder } from "../packages.js";
import { provideFolder } from "./libraries.js";
import {
  BINDING_PACKAGE,
  BINDING_SOURCE,
  bindingFile,
  engineRoot,
  flavorFolder,
  FLAVORS,
  type NativeFlavor,
  NODE_API_VERSION,
  preferenceFile,
} from "./pins.js";
import { lastLines, runProgram } from "./runProgram.js";
import type { Verification } from "./verifyChild.js";

interface InstallOptions {
  readonly flavor: NativeFlavor;
  /** Wheels on this machine; the others are downloaded. */
  readonly wheels: readonly string[];
}

interface Installed extends Verification {
  readonly flavor: NativeFlavor;
  readonly binding: string;
}

/**
 * Installs the missing parts of an engine, verifies it in any case, and makes it the one that is used from now on.
 * Nothing appears under its final name before it is whole; the next installation removes what a killed one left.
 * @throws {EngineError} where this machine cannot have it, or a step fails
 */
export async function installEngine({ flavor, wheels }: InstallOptions, report: ReportProgress): Promise<Installed> {
  const installed = flavor === "official" ? await installOfficial(wheels) : await fromWheels(flavor, wheels, report);
  await preferFlavor(flavor);
  return installed;
}

async function fromWheels(
  flavor: keyof typeof FLAVORS,
  given: readonly string[],
  report: ReportProgress,
): Promise<Installed> {
  requirePlatform();
  await provideFolder(flavorFolder(flavor), FLAVORS[flavor], { given, report });
  const binding = bindingFile(flavor);
  const verification = (await verifyExisting(binding)) ?? (await createBinding(dirname(binding), report));
  if (!existsSync(binding)) throw new EngineError(`engine install: ${dirname(binding)} is in the way; remove it`);
  return { flavor, binding, ...verification };
}

function requirePlatform(): void {
  const platform = `${process.platform}-${process.arch}`;
  if (platform === "linux-x64") return;
  throw new EngineError(
    `engine install: the wheels are for linux-x64, and this is ${platform}; try --source official, or compute with ` +
      "WebAssembly, which needs no installation",
  );
}

/** Null where there is no binding, or one that no longer computes, which is removed. */
async function verifyExisting(binding: string): Promise<Verification | null> {
  if (!existsSync(binding)) return null;
  try {
    return await verifyBinding(binding);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    await removeFolderAtomically(dirname(binding));
    return null;
  }
}

/** Builds a binding, which appears in `folder` once it is verified. */
async function createBinding(folder: string, report: ReportProgress): Promise<Verification> {
  const verifications: Verification[] = [];
  const build = async (staged: string) => {
    const binding = await buildBinding(staged, report);
    const verification = await verifyBinding(binding);
    verifications.push(verification);
    await keepQuickerProducts(staged, verification, () => verifyBinding(binding, { [ONEDNN_SWITCH]: "0" }));
  };
  await createFolderAtomically(folder, build, { isShared: true });
  const [verification] = verifications;
  if (verification === undefined) throw new Error("internal: a binding without a verification");
  return verification;
}

/** Share of the best product's speed below which that of 3,072 columns is suspected. */
const SUSPECT = 0.65;
/** Least gain for which oneDNN is turned off: it changes last bits, and bfloat16 needs it. */
const WORTH_TURNING_OFF = 1.3;
/** Share of the best product's speed that has to be left without it. */
const LEAST_LEFT = 0.9;

/**
 * Marks the folder of a binding, for this kind of processor, where it multiplies quicker without oneDNN: on some, a
 * matrix of 3,072 columns takes twice as long. Where the speed is as it should be, nothing else is measured.
 * @param verification  with oneDNN
 * @param without       measures the same without
 */
export async function keepQuickerProducts(
  folder: string,
  verification: Verification,
  without: () => Promise<Verification>,
): Promise<void> {
  const isSuspect = verification.wideGigaflops < SUSPECT * verification.gigaflops;
  if (verification.device === "gpu" || !isSuspect || process.env[ONEDNN_SWITCH] !== undefined) return;
  const other = await without();
  const isQuicker = other.wideGigaflops > WORTH_TURNING_OFF * verification.wideGigaflops;
  if (!isQuicker || other.gigaflops < LEAST_LEFT * verification.gigaflops) return;
  const [slow, quick] = [verification, other].map(({ wideGigaflops }) => wideGigaflops.toFixed(0));
  await writeFile(
    join(folder, NO_ONEDNN_FILE),
    `${processor()}\noneDNN is off: ${slow} GFLOP/s with it, ${quick} without\n`,
  );
}

const LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"] as const;
const HEADERS_PACKAGE = "node-api-headers";

/**
 * Builds `<folder>/tfjs_binding.node` of `BINDING_SOURCE` against `<folder>/../tensorflow` with g++, and the module that
 * silences its log. The binding looks for the libraries at that place relative to itself, so that the cache can be moved
 * or copied into a container image: the folder may be renamed, but must stay beside `tensorflow`. `$CXX` names another
 * compiler than g++.
 * @throws {EngineError} where a package or the compiler is missing, or the compiler fails, with the end of its output
 */
export async function buildBinding(folder: string, report: ReportProgress): Promise<string> {
  const compiler = process.env["CXX"] ?? "g++";
  await checkCompiler(compiler);
  const tensorflow = join(folder, "..", "tensorflow");
  const [total, label, unit] = [2, "build", "steps"] as const;
  const flags = ["-O2", "-std=c++17", "-fPIC", "-shared", "-pthread", `-DNAPI_VERSION=${NODE_API_VERSION}`];
  const includes = [nodeHeaders(), join(tensorflow, "include")].map((path) => `-I${path}`);
  const libraries = [`-L${tensorflow}`, ...LIBRARIES.map((name) => `-l:${name}`), "-Wl,-rpath,$ORIGIN/../tensorflow"];
  const binding = join(folder, "tfjs_binding.node");
  report({ label, done: 0, total, unit });
  await compile(compiler, [...flags, ...includes, BINDING_SOURCE, "-o", binding, ...libraries]);
  report({ label, done: 1, total, unit });
  const logSource = join(folder, "quiet_log.cc");
  await writeFile(logSource, LOG_MODULE.source);
  await compile(compiler, [...flags, logSource, "-o", join(folder, LOG_MODULE.file), "-ldl"]);
  await rm(logSource);
  report({ label, done: total, total, unit });
  return binding;
}

async function checkCompiler(compiler: string): Promise<void> {
  if ((await runProgram(compiler, ["--version"])).code === 0) return;
  throw new EngineError(
    `engine install: the C++ compiler ${compiler} does not start; install it (apt-get install g++, dnf install ` +
      "gcc-c++), or name another one in CXX",
  );
}

async function compile(compiler: string, args: readonly string[]): Promise<void> {
  const { code, output } = await runProgram(compiler, args);
  if (code === 0) return;
  throw new EngineError(
    `engine install: ${compiler} cannot build the binding (exit ${code}):\n${lastLines(output, 8)}`,
  );
}

function requirePackage(name: string): string {
  const folder = packageFolder(name);
  if (folder !== null) return folder;
  throw new EngineError(`engine install: the optional package ${name} is not installed; run npm install again`);
}

function nodeHeaders(): string {
  requirePackage(HEADERS_PACKAGE);
  return (loadModule(HEADERS_PACKAGE) as { include_dir: string }).include_dir; // its documented export
}

/** @throws {EngineError} where the binding does not load or computes something else, with the end of its output */
async function verifyBinding(binding: string, env: Readonly<Record<string, string>> = {}): Promise<Verification> {
  const child = fileURLToPath(new URL("./verifyChild.js", import.meta.url));
  const { code, output } = await runProgram(process.execPath, [child, binding], { env });
  const answer = lastLines(output, 1);
  if (code === 0 && answer.startsWith("{")) return JSON.parse(answer) as Verification; // written by verifyChild.ts
  throw new EngineError(`${binding}: was built, but does not compute (exit ${code}):\n${lastLines(output, 4)}`);
}

/**
 * Runs the package's own installer, which downloads TensorFlow 2.9.1 (CUDA 11.2), without a checksum, into node_modules.
 * @throws {EngineError} with the end of its output: it needs its own server, and exits with 0 in some of its failures
 */
async function installOfficial(wheels: readonly string[]): Promise<Installed> {
  if (wheels.length > 0)
    throw new EngineError("--wheel: the package's own installer takes none; leave one of the two out");
  const folder = packageFolder(BINDING_PACKAGE);
  if (folder === null) {
    throw new EngineError(`engine install: the optional package ${BINDING_PACKAGE} is not installed`);
  }
  const binding = bindingFile("official");
  const programs = [join(folder, "node_modules", ".bin"), join(folder, "..", "..", ".bin")]; // as npm would set it
  const env = { PATH: [...programs, process.env["PATH"] ?? ""].join(delimiter) };
  const args = [join("scripts", "install.js"), "gpu", "download"];
  const { code, output } = await runProgram(process.execPath, args, { cwd: folder, env });
  if (code === 0 && existsSync(binding)) return { flavor: "official", binding, ...(await verifyBinding(binding)) };
  throw new EngineError(
    `the package's own installer did not succeed (exit ${code}):\n${errorLine(output)}\n` +
      "It needs its own download server; `liqe engine install` without --source official needs the Python index only.",
  );
}

/** Line that names the error; an installer that crashes prints a stack and its Node's version after it. */
function errorLine(output: string): string {
  const named = output.split("\n").findLast((line) => /\berror:/i.test(line));
  return named?.trim() ?? lastLines(output, 4);
}

/** Makes `flavor` the one that is used where several are installed. */
export async function preferFlavor(flavor: NativeFlavor): Promise<void> {
  await makeFolders(engineRoot());
  await writeFileAtomic(preferenceFile(), flavor);
}
