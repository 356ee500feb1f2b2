/** The second way to a wheel, where there is no pip: its address, read from the Python package index. */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { EngineError } from "../../base/errors.js";
import type { ReportProgress } from "../../base/types.js";
import { parseWheelName, type WheelPin } from "./pins.js";

const DEFAULT_INDEX = "https://pypi.org/simple";
const ATTEMPTS = 3;
/** The index's JSON (PEP 691); mirrors that have HTML alone (PEP 503) send that. */
const ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";

/**
 * Downloads one wheel into `folder` and returns its path. The index is `PIP_INDEX_URL`, else the public one.
 *
 * @throws {EngineError} where the index cannot be reached or does not have the file
 */
export async function downloadByAddress(pin: WheelPin, folder: string, report: ReportProgress): Promise<string> {
  const index = process.env["PIP_INDEX_URL"] ?? DEFAULT_INDEX;
  const path = join(folder, pin.file);
  for (let attempt = 1; ; attempt++) {
    try {
      await save(await findAddress(index, pin), path, pin, report);
      return path;
    } catch (error) {
      if (error instanceof EngineError || attempt === ATTEMPTS) throw unreachable(index, pin, error);
    }
  }
}

async function findAddress(index: string, pin: WheelPin): Promise<URL> {
  const page = new URL(`${index.replace(/\/+$/, "")}/${parseWheelName(pin.file).project}/`);
  const response = await get(page, { Accept: ACCEPT });
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  const links = isJson ? linksOfJson(await response.json()) : linksOfHtml(await response.text());
  const link = links.find((address) => decodeURIComponent(address).split("#", 1)[0]?.endsWith(`/${pin.file}`));
  if (link === undefined) throw new EngineError(`${withoutPassword(page)} does not list ${pin.file}`);
  const address = new URL(link, page);
  if (address.host === page.host) [address.username, address.password] = [page.username, page.password];
  return address;
}

function linksOfJson(page: unknown): string[] {
  const { files = [] } = page as { files?: readonly { readonly url?: string }[] }; // PEP 691
  return files.flatMap(({ url }) => (url === undefined ? [] : [url]));
}

function linksOfHtml(page: string): string[] {
  return [...page.matchAll(/<a\s[^>]*href\s*=\s*["']([^"']+)["']/gi)].map(([, href = ""]) =>
    href.replaceAll("&amp;", "&"),
  );
}

async function save(address: URL, path: string, pin: WheelPin, report: ReportProgress): Promise<void> {
  const { body } = await get(address, {});
  if (body === null) throw new Error("the answer is empty");
  const label = `download ${parseWheelName(pin.file).project}`;
  let done = 0;
  const counted = Readable.fromWeb(body as ReadableStream<Uint8Array>).map((chunk: Uint8Array) => {
    done += chunk.length;
    report({ label, done, total: pin.bytes, unit: "bytes" });
    return chunk;
  }); // the same stream class, declared once by the DOM types and once by Node's
  await pipeline(counted, createWriteStream(path));
}

/** `fetch` takes no address with a password in it, which a private mirror's often has. */
async function get(address: URL, headers: Readonly<Record<string, string>>): Promise<Response> {
  const { username, password } = address;
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const authorization: Record<string, string> = username === "" ? {} : { Authorization: `Basic ${login}` };
  const response = await fetch(withoutPassword(address), { headers: { ...headers, ...authorization } });
  if (!response.ok)
    throw new EngineError(`${withoutPassword(address)} answers ${response.status} ${response.statusText}`);
  return response;
}

function withoutPassword(address: URL): string {
  const bare = new URL(address);
  [bare.username, bare.password] = ["", ""];
  return bare.href;
}

function unreachable(index: string, pin: WheelPin, error: unknown): EngineError {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  const reason = error instanceof Error ? error.message : String(error);
  return new EngineError(
    `${pin.file} cannot be downloaded from ${withoutPassword(new URL(index))} (${reason}${cause}); ` +
      "set PIP_INDEX_URL to a mirror, or give the file with --wheel FILE",
  );
}
