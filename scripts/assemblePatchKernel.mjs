/**
 * Assembles src/model/vision/patchKernel.wat to src/model/vision/patchKernelBytes.ts, which is committed: `npm run build` and the
 * tests need no assembler, and one of them holds the two files together.
 *
 *     node scripts/assemblePatchKernel.mjs
 */
import { Buffer } from "node:buffer";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import wabt from "wabt";

const SOURCE = fileURLToPath(new URL("../src/model/vision/patchKernel.wat", import.meta.url));
const BYTES = fileURLToPath(new URL("../src/model/vision/patchKernelBytes.ts", import.meta.url));

const { parseWat } = await wabt();
const { buffer } = parseWat(SOURCE, await readFile(SOURCE, "utf8")).toBinary({});
const lines = (
  Buffer.from(buffer)
    .toString("base64")
    .match(/.{1,100}/g) ?? []
).map((line) => `  "${line}",`);
const head = "/** patchKernel.wat, assembled by scripts/assemblePatchKernel.mjs: base64, in lines. */";
await writeFile(BYTES, `${head}\nexport const PATCH_KERNEL = [\n${lines.join("\n")}\n].join("");\n`);
