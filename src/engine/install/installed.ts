/** Which native engine there is, found by looking at files: nothing is loaded. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { packageFolder } from "../packages.js";
import { bindingFile, CACHED_FLAVORS, type CachedFlavor, engineRoot, flavorFolder } from "./cache.js";
import { officialBinding } from "./official.js";
import type { WheelPin } from "./pins.js";
import { BINDING_PACKAGE } from "./pins.js";

/** Those of the cache, and what the package's own installer made. */
export type NativeFlavor = CachedFlavor | "official";

interface InstalledEngine {
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
export function findInstalledEngine():
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

const FILE = "contents.json";

const Contents = z.object({
  wheels: z.array(z.object({ file: z.string(), sha256: z.string() })),
  libraries: z.array(z.object({ path: z.string(), bytes: z.int().positive() })),
});
type Contents = z.output<typeof Contents>;

/** Lists the libraries under `folder` and the wheels that they came from. */
export async function writeFileList(folder: string, wheels: readonly WheelPin[]): Promise<void> {
  const libraries = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.so(\.\d+)*$/.test(path))
    .map((path) => ({ path, bytes: statSync(join(folder, path)).size }));
  const contents: Contents = { wheels: wheels.map(({ file, sha256 }) => ({ file, sha256 })), libraries };
  await writeFile(join(folder, FILE), `${JSON.stringify(contents, null, 2)}\n`, { flush: true });
}

/** What is wrong with a flavour's folder, or null where every library is there in its full size. */
export function findDamage(folder: string): string | null {
  try {
    const { libraries } = Contents.parse(JSON.parse(readFileSync(join(folder, FILE), "utf8")));
    const wrong = libraries.find(({ path, bytes }) => statSync(join(folder, path)).size !== bytes);
    return wrong === undefined ? null : `${join(folder, wrong.path)} has not its ${wrong.bytes} bytes`;
  } catch (error) {
    return error instanceof z.ZodError ? `${join(folder, FILE)} cannot be understood` : messageOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
