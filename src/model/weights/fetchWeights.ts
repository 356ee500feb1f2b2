import { open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Agent, type Dispatcher, fetch, ProxyAgent, type Response } from "undici";
import { proxyFor } from "../../base/download.js";
import { CheckpointError, ConfigError, NoSpaceError } from "../../base/errors.js";
import { isNoSpace, sha256OfFile } from "../../base/files.js";
import { makeFolders } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { rejectFile } from "./byteSource.js";
import type { PublishedFile } from "./published.js";

export interface FetchOptions {
  readonly report: ReportProgress;
  /** Where to get it instead of the published address: a mirror's folder with the same names below it. */
  readonly mirror?: string;
  /** Seconds between the first two attempts; doubled each time. */
  readonly retrySeconds?: number;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const ATTEMPTS = 5;
const TIMEOUTS_MS = { headersTimeout: 60_000, bodyTimeout: 60_000, connect: { timeout: 30_000 } };

/** An answer after which asking again is of no use. */
class Refused extends CheckpointError {}

/**
 * Downloads a published file to `target`, checked by its SHA-256; a good file that is there already is kept. Bytes go
 * to `<target>.partial`, which a later call, or the next attempt after a lost connection, goes on with.
 *
 * @returns whether the file was there already
 * @throws {CheckpointError} when the file cannot be had, has another checksum, or another file is in its place
 * @throws {NoSpaceError} when there is no room for it; what came is kept
 * @throws {ConfigError} when the mirror is no address
 */
export async function fetchWeights(published: PublishedFile, target: string, options: FetchOptions): Promise<boolean> {
  if (await isThere(published, target)) return true;
  await makeFolders(path.dirname(target));
  const partial = `${target}.partial`;
  await download(published, partial, options);
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

async function isThere(published: PublishedFile, target: string): Promise<boolean> {
  const size = await sizeOf(target);
  if (size === null) return false;
  if (size === published.bytes && (await sha256OfFile(target)) === published.sha256) return true;
  return rejectFile(target, `another file is there, not the published ${published.file}; move it away first`);
}

async function download(published: PublishedFile, partial: string, options: FetchOptions): Promise<void> {
  const { mirror, retrySeconds = 2, environment = process.env } = options;
  const name = published.address.split("/").slice(-2).join("/");
  if (mirror !== undefined && !URL.canParse(mirror)) {
    throw new ConfigError(`weights fetch: the mirror "${mirror}" is no address; it begins with https://`);
  }
  const address = new URL(mirror === undefined ? published.address : `${mirror.replace(/\/+$/, "")}/${name}`);
  const proxy = proxyFor(address, environment);
  const dispatcher = proxy === null ? new Agent(TIMEOUTS_MS) : new ProxyAgent({ ...TIMEOUTS_MS, uri: proxy });
  try {
    for (let attempt = 1; (await sizeOf(partial)) !== published.bytes; attempt++) {
      try {
        await attemptDownload(address, dispatcher, published, partial, options.report);
      } catch (error) {
        if (isNoSpace(error)) throw noRoom(partial, published, error);
        if (error instanceof Refused || attempt === ATTEMPTS) throw unreachable(address, proxy, error);
        await wait(1000 * retrySeconds * 2 ** (attempt - 1));
      }
    }
  } finally {
    await dispatcher.destroy();
  }
}

/** Gets what is still missing, or all of it where the server cannot send a part. */
async function attemptDownload(
  address: URL,
  dispatcher: Dispatcher,
  { bytes, file }: PublishedFile,
  partial: string,
  report: ReportProgress,
): Promise<void> {
  const have = (await sizeOf(partial)) ?? 0;
  if (have > bytes) await rm(partial);
  const from = have > bytes ? 0 : have;
  const headers = { "accept-encoding": "identity", ...(from > 0 && { range: `bytes=${from}-` }) };
  const response = await fetch(address, { dispatcher, headers });
  const start = startOf(response, from);
  // Not opened for appending: two downloads at once then write the same bytes to the same places.
  const handle = await open(partial, start === 0 ? "w" : "r+");
  try {
    let at = start;
    for await (const chunk of response.body ?? []) {
      const piece = chunk as Uint8Array; // a fetch body's chunks are bytes
      if (at + piece.length > bytes) throw new Refused(`sends more than the published ${bytes} bytes`);
      await handle.write(piece, 0, piece.length, at);
      at += piece.length;
      report({ label: `download ${file}`, done: at, total: bytes, unit: "bytes" });
    }
    if (at < bytes) throw new Error(`the connection ended after ${at} of ${bytes} bytes`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Where the answer's bytes belong. */
function startOf(response: Response, from: number): number {
  const { status, headers } = response;
  if (status === 200) return 0;
  if (status === 206 && headers.get("content-range")?.startsWith(`bytes ${from}-`) === true) return from;
  const isPassing = status >= 500 || status === 408 || status === 429;
  const answer = `answers ${status} ${response.statusText}`.trimEnd();
  throw isPassing ? new Error(answer) : new Refused(answer);
}

function unreachable(address: URL, proxy: string | null, error: unknown): CheckpointError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const way = proxy === null ? "" : ` through the proxy ${new URL(proxy).host}`;
  return new CheckpointError(
    `${address.href}: cannot be downloaded${way}, ${reason}; ` +
      "get it where there is a network, put it into checkpoints/ and check it with liqe weights inspect",
  );
}

function noRoom(partial: string, { file, bytes }: PublishedFile, error: Error): NoSpaceError {
  return new NoSpaceError(
    `${partial}: no room for ${file}, which has ${Math.ceil(bytes / 1e6)} MB (${error.message}); ` +
      "make room and give the command again: it goes on with what came",
    { cause: error },
  );
}

async function sizeOf(file: string): Promise<number | null> {
  const stats = await stat(file).catch(() => null);
  return stats?.size ?? null;
}
