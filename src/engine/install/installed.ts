/** Native engines on this machine, found by looking at files: nothing is loaded. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeDurable } from "../../base/files.js";
import { packageFolder } from "../packages.js";
import { bindingFile, flavorFolder, NATIVE_FLAVORS, type NativeFlavor, preferenceFile } from "./cache.js";
import { BINDING_PACKAGE, type WheelPin } from "./pins.js";

interface InstalledEngine {
  readonly flavor: NativeFlavor;
  readonly binding: string;
  /** Why it cannot be used, or null. */
  readonly damage: string | null;
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

/** Every engine on this machine, the one to use first. */
export function listInstalled(): readonly InstalledEngine[] {
  if (packageFolder(BINDING_PACKAGE) === null) return [];
  const preferred = readPreference();
  return NATIVE_FLAVORS.map((flavor) => ({ flavor, binding: bindingFile(flavor) }))
    .filter(({ binding }) => existsSync(binding))
    .map((engine) => ({
      ...engine,
      damage: engine.flavor === "official" ? null : findDamage(flavorFolder(engine.flavor)),
    }))
    .sort((a, b) => Number(b.flavor === preferred) - Number(a.flavor === preferred));
}

function readPreference(): string | null {
  try {
    return readFileSync(preferenceFile(), "utf8").trim();
  } catch {
    return null; // nothing was preferred yet
  }
}

/** List of a flavor's libraries, in its folder. */
const LIST_FILE = "contents.json";

const Contents = z.object({
  wheels: z.array(z.object({ file: z.string(), sha256: z.string() })),
  libraries: z.array(z.object({ path: z.string(), bytes: z.int().positive() })),
});

/** Lists the libraries under `folder` and the wheels that they came from. */
export async function writeFileList(folder: string, wheels: readonly WheelPin[]): Promise<void> {
  const libraries = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.so(\.\d+)*$/.test(path))
    .map((path) => ({ path, bytes: statSync(join(folder, path)).size }));
  const contents: z.output<typeof Contents> = {
    wheels: wheels.map(({ file, sha256 }) => ({ file, sha256 })),
    libraries,
  };
  await writeDurable(join(folder, LIST_FILE), `${JSON.stringify(contents, null, 2)}\n`);
}

/** Damage of a flavor's folder in words, or null where every library is there in its full size. */
export function findDamage(folder: string): string | null {
  try {
    const { libraries } = Contents.parse(JSON.parse(readFileSync(join(folder, LIST_FILE), "utf8")));
    const wrong = libraries.find(({ path, bytes }) => statSync(join(folder, path)).size !== bytes);
    return wrong === undefined ? null : `${join(folder, wrong.path)} has not its ${wrong.bytes} bytes`;
  } catch (error) {
    if (error instanceof z.ZodError) return `${join(folder, LIST_FILE)} cannot be understood`;
    return error instanceof Error ? error.message : String(error);
  }
}
