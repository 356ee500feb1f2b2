/** Provides the native engine: wheels in, a binding that has proved itself out. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "../../base/errors.js";
import { removeFolderAtomically, createFolderAtomically } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { buildBinding, verifyBinding } from "./build.js";
import { bindingFile, type CachedFlavor } from "./cache.js";
import { type NativeFlavor, preferFlavor } from "./installed.js";
import { installLibraries } from "./libraries.js";
import { installOfficial } from "./official.js";
import type { Verification } from "./verifyChild.js";

interface InstallOptions {
  readonly flavor: NativeFlavor;
  /** Wheels that are at hand already; the others are downloaded. */
  readonly wheels: readonly string[];
}

interface Installed extends Verification {
  readonly flavor: NativeFlavor;
  readonly binding: string;
}

/**
 * Installs what is missing of an engine, proves it in any case, and makes it the one that is used from now on.
 *
 * Nothing appears under its final name before it is whole: killed at any moment, it leaves a folder that the next
 * installation sweeps away.
 * @throws {EngineError} where this machine cannot have it, or a step fails
 */
export async function installEngine({ flavor, wheels }: InstallOptions, report: ReportProgress): Promise<Installed> {
  const installed = flavor === "official" ? await official(wheels) : await fromWheels(flavor, wheels, report);
  await preferFlavor(flavor);
  return installed;
}

async function official(wheels: readonly string[]): Promise<Installed> {
  if (wheels.length > 0)
    throw new EngineError("--wheel: the package's own installer takes none; leave one of the two out");
  const binding = await installOfficial();
  return { flavor: "official", binding, ...(await verifyBinding(binding)) };
}

async function fromWheels(flavor: CachedFlavor, wheels: readonly string[], report: ReportProgress): Promise<Installed> {
  refuseOtherPlatforms();
  await installLibraries(flavor, wheels, report);
  const binding = bindingFile(flavor);
  const proof = (await proveExisting(binding)) ?? (await makeBinding(dirname(binding), report));
  if (!existsSync(binding)) throw new EngineError(`engine install: ${dirname(binding)} is in the way; remove it`);
  return { flavor, binding, ...proof };
}

/** Null where there is none, or one that does not compute any more; that one is removed. */
async function proveExisting(binding: string): Promise<Verification | null> {
  if (!existsSync(binding)) return null;
  try {
    return await verifyBinding(binding);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    await removeFolderAtomically(dirname(binding));
    return null;
  }
}

/** Builds a binding, which appears in `folder` when it has proved itself. */
async function makeBinding(folder: string, report: ReportProgress): Promise<Verification> {
  const proofs: Verification[] = [];
  await createFolderAtomically(folder, async (partial) => {
    proofs.push(await verifyBinding(await buildBinding(partial, report)));
  });
  const [proof] = proofs;
  if (proof === undefined) throw new Error("internal: a binding without a proof");
  return proof;
}

function refuseOtherPlatforms(): void {
  const platform = `${process.platform}-${process.arch}`;
  if (platform === "linux-x64") return;
  throw new EngineError(
    `engine install: the wheels are for linux-x64, and this is ${platform}; try --source official, or compute with ` +
      "WebAssembly, which needs no installation",
  );
}
