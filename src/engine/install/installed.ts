/** Which native engine there is, found by looking at files: nothing is loaded. */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packageFolder } from "../packages.js";
import { bindingFile, CACHED_FLAVORS, type CachedFlavor, engineRoot, flavorFolder } from "./cache.js";
import { findDamage } from "./contents.js";
import { officialBinding } from "./official.js";
import { BINDING_PACKAGE } from "./pins.js";

/** Those of the cache, and what the package's own installer made. */
export type NativeFlavor = CachedFlavor | "official";

export interface InstalledEngine {
  readonly flavor: NativeFlavor;
  readonly binding: string;
  /** Why it cannot be used, or null. */
  readonly damage: string | null;
}

/** Names the flavour that was installed last, where there are several. */
const preferenceFile = (): string => join(engineRoot(), "preferred");

/** Every engine that is there, the one to use first. */
export function listInstalled(): readonly InstalledEngine[] {
  if (packageFolder(BINDING_PACKAGE) === null) return [];
  const cached = CACHED_FLAVORS.map((flavor) => ({ flavor, binding: bindingFile(flavor), damage: null }));
  const official = { flavor: "official" as const, binding: officialBinding() ?? "", damage: null };
  const preferred = readPreference();
  return [...cached, official]
    .filter(({ binding }) => existsSync(binding))
    .map((engine) => ({
      ...engine,
      damage: engine.flavor === "official" ? null : findDamage(flavorFolder(engine.flavor)),
    }))
    .sort((a, b) => Number(b.flavor === preferred) - Number(a.flavor === preferred));
}

/** The engine to use, or why there is none. */
export function findNative():
  { readonly ok: true; readonly engine: InstalledEngine } | { readonly ok: false; readonly reason: string } {
  if (packageFolder(BINDING_PACKAGE) === null) {
    return { ok: false, reason: `the optional package ${BINDING_PACKAGE} is not installed` };
  }
  const [engine] = listInstalled();
  if (engine === undefined) return { ok: false, reason: "the native engine is not installed" };
  return engine.damage === null
    ? { ok: true, engine }
    : { ok: false, reason: `the native engine is damaged: ${engine.damage}` };
}

/** From now on, `flavor` is used where several are installed. */
export async function preferFlavor(flavor: NativeFlavor): Promise<void> {
  await mkdir(engineRoot(), { recursive: true });
  const written = `${preferenceFile()}.${process.pid}`;
  await writeFile(written, flavor);
  await rename(written, preferenceFile());
}

function readPreference(): string | null {
  try {
    return readFileSync(preferenceFile(), "utf8").trim();
  } catch {
    return null; // nothing was preferred yet
  }
}
