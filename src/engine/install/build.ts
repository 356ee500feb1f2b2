import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "../../base/errors.js";
import type { ReportProgress } from "../../base/types.js";
import { LOG_MODULE } from "../backend/nativeLog.js";
import { loadModule, packageFolder } from "../packages.js";
import { BINDING_PACKAGE, NODE_API_VERSION } from "./pins.js";
import { lastLines, runProgram } from "./runProgram.js";

const SOURCES = ["tfjs_backend", "tfjs_binding"] as const;
const LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"] as const;
const HEADERS_PACKAGE = "node-api-headers";

/**
 * Builds `<folder>/tfjs_binding.node` against `<folder>/../tensorflow` with g++ (two sources, then the link), and the
 * module that silences its log. The binding looks for the libraries at that place relative to itself, so that the cache
 * can be moved or copied into a container image: the folder may be renamed, but must stay beside `tensorflow`.
 *
 * `$CXX` names another compiler than g++.
 * @throws {EngineError} where a package or the compiler is missing, or the compiler fails, with the end of its output
 */
export async function buildBinding(folder: string, report: ReportProgress): Promise<string> {
  const compiler = process.env["CXX"] ?? "g++";
  await checkCompiler(compiler);
  const tensorflow = join(folder, "..", "tensorflow");
  const total = SOURCES.length + 2;
  let done = 0;
  const step = async (args: readonly string[]) => {
    await compile(compiler, args);
    report({ label: "build", done: ++done, total, unit: "steps" });
  };
  report({ label: "build", done, total, unit: "steps" });
  const source = join(requirePackage(BINDING_PACKAGE), "binding");
  const includes = [source, join(source, ".."), nodeHeaders(), join(tensorflow, "include")].map((path) => `-I${path}`);
  const flags = ["-O3", "-std=c++17", "-fPIC", `-DNAPI_VERSION=${NODE_API_VERSION}`, "-DBUILDING_NODE_EXTENSION"];
  const objects = SOURCES.map((name) => join(folder, `${name}.o`));
  for (const [i, object] of objects.entries()) {
    await step([...flags, ...includes, "-c", join(source, `${SOURCES[i] ?? ""}.cc`), "-o", object]);
  }
  const binding = join(folder, "tfjs_binding.node");
  const libraries = [`-L${tensorflow}`, ...LIBRARIES.map((name) => `-l:${name}`), "-Wl,-rpath,$ORIGIN/../tensorflow"];
  await step(["-shared", ...objects, "-o", binding, ...libraries]);
  const logSource = join(folder, "quiet_log.cc");
  await writeFile(logSource, LOG_MODULE.source);
  await step([...flags, "-shared", logSource, "-o", join(folder, LOG_MODULE.file), "-ldl"]);
  for (const file of [...objects, logSource]) await rm(file);
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
