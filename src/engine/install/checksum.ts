import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { EngineError } from "../../base/errors.js";
import type { ReportProgress } from "../../base/types.js";
import { parseWheelName, type WheelPin } from "./pins.js";

/** Reads a wheel through and compares it with its pin. @throws {EngineError} where it is another file */
export async function checkWheel(path: string, pin: WheelPin, report: ReportProgress): Promise<void> {
  const { size: total } = await stat(path);
  const hash = createHash("sha256");
  const label = `check ${parseWheelName(pin.file).project}`;
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const bytes = chunk as Buffer; // no encoding was asked for
    hash.update(bytes);
    done += bytes.length;
    report({ label, done, total, unit: "bytes" });
  }
  const sha256 = hash.digest("hex");
  if (sha256 === pin.sha256) return;
  throw new EngineError(
    `${path}: SHA-256 is ${sha256} (${total} bytes), but ${pin.file} has ${pin.sha256} (${pin.bytes} bytes); ` +
      (basename(path) === pin.file ? "it is damaged or was replaced: remove it and try again" : "give that file"),
  );
}
