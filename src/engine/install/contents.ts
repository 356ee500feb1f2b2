/** What a flavour's folder should hold, written inside it before it appears, so that a damaged one is noticed. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { WheelPin } from "./pins.js";

const FILE = "contents.json";

const Contents = z.object({
  wheels: z.array(z.object({ file: z.string(), sha256: z.string() })),
  libraries: z.array(z.object({ path: z.string(), bytes: z.int().positive() })),
});
type Contents = z.output<typeof Contents>;

/** Lists the libraries under `folder` and the wheels that they came from. */
export async function writeContents(folder: string, wheels: readonly WheelPin[]): Promise<void> {
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
