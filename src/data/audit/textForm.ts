import { open } from "node:fs/promises";
import type { Finding } from "./findings.js";
import { findingOf } from "./sampleChecks.js";

/** As much of a list as is looked at: its line ends are the same throughout, or nobody's. */
const LOOKED_AT_BYTES = 65_536;

/** What is unusual about a list's text and yet read without harm here; other tools may stumble over it. */
export async function findTextForm(database: string, list: string): Promise<Finding[]> {
  const start = await startOf(list);
  if (start === null) return []; // a list that is not there is reported where it is read
  const note = (kind: "bom" | "line-ends", what: string): Finding => ({
    ...findingOf(database, kind, "note", what),
    list,
    message: `${list}: ${what}`,
  });
  const isMarked = start.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]));
  return [
    ...(isMarked ? [note("bom", "begins with a byte order mark; save it as UTF-8 without one")] : []),
    ...(start.includes("\r") ? [note("line-ends", "has the line ends of Windows (CRLF); save it with LF")] : []),
  ];
}

async function startOf(list: string): Promise<Buffer | null> {
  const handle = await open(list).catch(() => null);
  if (handle === null) return null;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOOKED_AT_BYTES), 0, LOOKED_AT_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    return null; // a folder, or a disk that fails: said where it is read
  } finally {
    await handle.close();
  }
}
