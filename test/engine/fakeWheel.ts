import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FlavorParts } from "../../src/engine/install/pins.js";

export const LIBRARY = "tensorflow/libtensorflow_cc.so.2";
/** Several reads long, and too short to be waited for until it is on the disk. */
export const LIBRARY_BYTES = 900_000;
const FILES: Readonly<Record<string, Buffer>> = {
  [LIBRARY]: Buffer.from(Uint8Array.from({ length: LIBRARY_BYTES }, (_, i) => (i * i) % 251)), // compresses, but not to nothing
  "tensorflow/libtensorflow_framework.so.2": Buffer.from("framework"),
  "tensorflow/include/tensorflow/c/c_api.h": Buffer.from("// header"),
  "tensorflow/include/absl/strings/cord.h": Buffer.from("// not read by the binding"),
  "tensorflow/python/ops.py": Buffer.from("# no Python runs"),
};

export interface FakeWheel {
  readonly path: string;
  readonly parts: FlavorParts;
}

/** A zip file made by Python's own module, with the names of TensorFlow's wheel and little in them. */
export function makeFakeWheel(folder: string): FakeWheel {
  for (const [name, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, "tree", name)), { recursive: true });
    writeFileSync(join(folder, "tree", name), content);
  }
  const file = "tensorflow_cpu-0.0.1-cp312-cp312-manylinux_2_27_x86_64.whl";
  const path = join(folder, file);
  execFileSync("python3", ["-m", "zipfile", "-c", path, "tensorflow"], { cwd: join(folder, "tree") });
  const bytes = readFileSync(path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { path, parts: { wheels: [{ file, bytes: bytes.length, sha256 }], unpackedBytes: LIBRARY_BYTES } };
}
