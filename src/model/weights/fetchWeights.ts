import { open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Response } from "undici";
import { HttpClient, withoutPassword } from "../../base/download.js";
import { CheckpointError, ConfigError, NoSpaceError } from "../../base/errors.js";
import { isNoSpace, sha256OfFile } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { rejectFile } from "./byteSource.js";
import type { publishedFile } from "./published.js";

type PublishedFile = ReturnType<typeof publishedFile>;

export interface FetchOptions {
  readonly report: ReportProgress;
  /** Address of a mirror's folder, with the same names below it. */
  readonly mirror?: string;
  /** Seconds between the first two attempts; doubled each time. */
  readonly retrySeconds?: number;
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Downloads a published file to `target`, checked by its SHA-256; a good file that exists is kept. Bytes go to
 * `<target>.partial`, which the next attempt after a lost connection, or a later call, continues.
 * @returns true where the file existed already
 * @throws {CheckpointError} when the file is not available, has another checksum, or another file is in its place
 * @throws {NoSpaceError} when there is no room for it; the bytes that came are kept
 * @throws {ConfigError} when the mirror is no address, or the environment's proxy none
 */
export async function fetchWeights(published: PublishedFile, target: string, options: FetchOptions): Promise<boolean> {
  if (await isFetched(published, target)) return true;
  await makeFolders(path.dirname(target));
  const partial = `${target}.partial`;
  await downloadAll(published, partial, options);
  const found = await sha256OfFile(partial);
  if (found !== published.sha256) {
    await rm(partial);
    rejectFile(
      target,
      `what came has SHA-256 ${found}, published is ${published.sha256}; it was thrown away, try again`,
    );
  }
  await rename(partial, target);
  return false;
}

async function isFetched(published: PublishedFile, target: string): Promise<boolean> {
  const size = await sizeOf(target);
  if (size === null) return false;
  if ((published.bytes ?? size) === size && (await sha256OfFile(target)) === published.sha256) return true;
  return rejectFile(target, `another file is there, not the published ${published.file}; move it away first`);
}

const ATTEMPTS = 5;

/** An answer that another attempt would not change. */
class Refused extends CheckpointError {}

async function downloadAll(published: PublishedFile, partial: string, options: FetchOptions): Promise<void> {
  const { mirror, report, retrySeconds = 2, environment = process.env } = options;
  const name = published.address.split("/").slice(-2).join("/");
  if (mirror !== undefined && !URL.canParse(mirror)) {
    throw new ConfigError(`weights fetch: the mirror "${mirror}" is no address; it begins with https://`);
  }
  const address = new URL(mirror === undefined ? published.address : `${mirror.replace(/\/+$/, "")}/${name}`);
  const client = new HttpClient(environment);
  try {
    let total = published.bytes;
    for (let attempt = 1; total === null || (await sizeOf(partial)) !== total; attempt++) {
      try {
        total = await downloadRest({ client, address, published, partial, report });
      } catch (error) {
        if (isNoSpace(error)) throw noRoom(partial, published, error);
        if (error instanceof ConfigError) throw error;
        if (error instanceof Refused || attempt === ATTEMPTS) {
          throw unreachable(address, client.proxyFor(address), error);
        }
        await wait(1000 * retrySeconds * 2 ** (attempt - 1));
      }
    }
  } finally {
    await client.close();
  }
}

interface Download {
  readonly client: HttpClient;
  readonly address: URL;
  readonly published: PublishedFile;
  readonly partial: string;
  readonly report: ReportProgress;
}

/**
 * One attempt at the missing bytes, or at all of them where the server cannot send a part.
 * @returns the bytes of the whole file: as published, else as the server says
 */
async function downloadRest({ client, address, published, partial, report }: Download): Promise<number> {
  const { file } = published;
  const have = (await sizeOf(partial)) ?? 0;
  const isTooMuch = published.bytes !== null && have > published.bytes;
  if (isTooMuch) await rm(partial);
  const from = isTooMuch ? 0 : have;
  const headers = { "accept-encoding": "identity", ...(from > 0 && { range: `bytes=${from}-` }) };
  const response = await client.get(address, headers);
  const bytes = published.bytes ?? totalOf(response);
  if (response.status === 416 && from > 0) {
    if (from !== bytes) await rm(partial); // another attempt begins anew
    return bytes;
  }
  const start = startOf(response, from);
  // Not opened for appending: two downloads at once then write the same bytes to the same places.
  const handle = await open(partial, start === 0 ? "w" : "r+");
  try {
    let at = start;
    for await (const chunk of response.body ?? []) {
      const piece = chunk as Uint8Array; // a fetch body's chunks are bytes
      if (at + piece.length > bytes) throw new Refused(`sends more than the published ${bytes} bytes`);
      for (let sent = 0; sent < piece.length;) {
        // a disk that fills takes a part first
        sent += (await handle.write(piece, sent, piece.length - sent, at + sent)).bytesWritten;
      }
      at += piece.length;
      report({ label: `download ${file}`, done: at, total: bytes, unit: "bytes" });
    }
    if (at < bytes) throw new Error(`the connection ended after ${at} of ${bytes} bytes`);
    await handle.sync();
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Bytes of the whole file, by the answer: its length, or what a part is said to be of. */
function totalOf({ status, headers }: Response): number {
  const whole = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
  const length = status === 200 ? headers.get("content-length") : null;
  const total = Number(whole ?? length ?? NaN);
  if (Number.isSafeInteger(total)) return total;
  if (status === 200 || status === 206 || status === 416) throw new Refused("does not say how many bytes the file has");
  return NaN; // it sends no file, and is refused for that
}

/** Position in the file of the answer's first byte. */
function startOf({ status, statusText, headers }: Response, from: number): number {
  if (status === 200) return 0;
  if (status === 206 && headers.get("content-range")?.startsWith(`bytes ${from}-`) === true) return from;
  const isTemporary = status >= 500 || status === 408 || status === 429;
  const answer = `answers ${status} ${statusText}`.trimEnd();
  throw isTemporary ? new Error(answer) : new Refused(answer);
}

function unreachable(address: URL, proxy: string | null, error: unknown): CheckpointError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const way = proxy === null ? "" : ` through the proxy ${new URL(proxy).host}`;
  return new CheckpointError(
    `${withoutPassword(address)}: cannot be downloaded${way}, ${reason}; ` +
      "get it where there is a network, put it into checkpoints/ and check it with liqe weights inspect",
  );
}

function noRoom(partial: string, { file, bytes }: PublishedFile, error: Error): NoSpaceError {
  return new NoSpaceError(
    `${partial}: no room for ${file}${bytes === null ? "" : `, which has ${Math.ceil(bytes / 1e6)} MB`} (${error.message}); ` +
      "make room and give the command again: it goes on with what came",
    { cause: error },
  );
}

async function sizeOf(file: string): Promise<number | null> {
  const stats = await stat(file).catch(() => null);
  return stats?.size ?? null;
}
