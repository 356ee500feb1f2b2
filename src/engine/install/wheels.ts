import { createWriteStream } from "node:fs";
import { link, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Response } from "undici";
import { HttpClient, withoutPassword } from "../../base/download.js";
import { ConfigError, EngineError } from "../../base/errors.js";
import { sha256OfFile } from "../../base/files.js";
import { makeFolders, withStagingFolder } from "../../base/folders.js";
import type { ReportProgress } from "../../base/types.js";
import { engineRoot, parseWheelName, type WheelPin } from "./pins.js";
import { lastLines, runProgram } from "./runProgram.js";

/**
 * Wheels of one installation: those that the user gave, those in the cache, and the rest downloaded. Downloads stay in
 * the cache until `clear()`, so that an interrupted installation of several gigabytes continues.
 */
export class WheelStore {
  /** @throws {EngineError} naming every given file that no pin asks for */
  constructor(
    private readonly pins: readonly WheelPin[],
    private readonly given: readonly string[],
    private readonly report: ReportProgress,
  ) {
    const strangers = given.filter((path) => pins.every(({ file }) => file !== basename(path)));
    if (strangers.length === 0) return;
    const wanted = pins.map(({ file }) => `  ${file}`).join("\n");
    throw new EngineError(`--wheel: ${strangers.join(", ")} is not what this flavor is made of, which is\n${wanted}`);
  }

  /** Bytes of the wheels that were not given. */
  get missingBytes(): number {
    const missing = this.pins.filter(({ file }) => this.given.every((path) => basename(path) !== file));
    return missing.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Lends `use` a checked wheel: the given, the cached or a new one. @throws {EngineError} where none is right */
  async use(pin: WheelPin, use: (path: string) => Promise<void>): Promise<void> {
    const own = this.given.find((path) => basename(path) === pin.file);
    if (own !== undefined) {
      await checkWheel(own, pin, this.report);
      await use(own);
      return;
    }
    await withStagingFolder(engineRoot(), async (folder) => {
      await use(await obtain({ pin, folder, report: this.report }));
    });
  }

  /** Removes the wheels from the cache; an installation that uses one at this moment has a link of its own to it. */
  async clear(): Promise<void> {
    for (const pin of this.pins) await rm(cachedWheel(pin), { force: true });
  }
}

/** A wheel to download, and the empty folder to put it into. */
type Download = { readonly pin: WheelPin; readonly folder: string; readonly report: ReportProgress };

const cachedWheel = (pin: WheelPin): string => join(engineRoot(), "wheels", pin.file);

/** Path of the wheel in `folder`: a link to the cached one, or downloaded and put into the cache. */
async function obtain(download: Download): Promise<string> {
  const { pin, folder, report } = download;
  const own = join(folder, pin.file);
  if (await linked(cachedWheel(pin), own)) {
    await checkWheel(own, pin, report);
    return own;
  }
  const pip = await findPip();
  await (pip === null ? downloadByAddress(download) : downloadWithPip(pip, download));
  await checkWheel(own, pin, report);
  await makeFolders(join(engineRoot(), "wheels"));
  await linked(own, cachedWheel(pin)); // where it fails, as on a file system without links, the next try downloads again
  return own;
}

async function linked(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    () => false,
  );
}

/** Compares a wheel with its pin. @throws {EngineError} where it is another file */
async function checkWheel(path: string, pin: WheelPin, report: ReportProgress): Promise<void> {
  const { size: total } = await stat(path);
  const label = `check ${parseWheelName(pin.file).project}`;
  let done = 0;
  const sha256 = await sha256OfFile(path, (bytes) => {
    done += bytes;
    report({ label, done, total, unit: "bytes" });
  });
  if (sha256 === pin.sha256) return;
  throw new EngineError(
    `${path}: SHA-256 is ${sha256} (${total} bytes), but ${pin.file} has ${pin.sha256} (${pin.bytes} bytes); ` +
      (basename(path) === pin.file ? "it is damaged or was replaced: remove it and try again" : "give that file"),
  );
}

/** A program and its first arguments. */
export type Pip = readonly [program: string, ...args: string[]];

const PIPS: readonly Pip[] = [["python3", "-m", "pip"], ["python", "-m", "pip"], ["pip3"], ["pip"]];

/** Interval at which the size of a file that pip downloads is looked at. */
const LOOK_EVERY_MS = 250;

/** First pip that answers, or null. It is preferred, since it follows the user's mirror, proxy and certificates. */
async function findPip(): Promise<Pip | null> {
  for (const pip of PIPS) {
    const [program, ...args] = pip;
    if ((await runProgram(program, [...args, "--version"])).code === 0) return pip;
  }
  return null;
}

/** Path of a wheel, downloaded with `pip download`. @throws {EngineError} with the end of pip's output */
export async function downloadWithPip([program, ...first]: Pip, { pin, folder, report }: Download): Promise<string> {
  const { project, version, platforms } = parseWheelName(pin.file);
  const target = ["--python-version", "3.12", ...platforms.flatMap((platform) => ["--platform", platform])];
  const kind = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check"];
  const args = [...first, "download", ...kind, ...target, "--dest", folder, `${project}==${version}`];
  // pip's progress bar is for terminals, so the file is watched; with this TMPDIR it grows inside the folder.
  const watch = setInterval(() => {
    void sizeOf(folder).then((done) => {
      report({ label: `download ${project}`, done: Math.min(done, pin.bytes), total: pin.bytes, unit: "bytes" });
    });
  }, LOOK_EVERY_MS);
  const { code, output } = await runProgram(program, args, { env: { TMPDIR: folder } }).finally(() => {
    clearInterval(watch);
  });
  const path = join(folder, pin.file);
  if (code === 0 && (await sizeOf(path)) > 0) return path;
  throw new EngineError(
    `pip download ${project}==${version} failed:\n${lastLines(output, 3)}\n` +
      `Get ${pin.file} another way and give it with --wheel FILE.`,
  );
}

/** Bytes of a file, or of all files under a folder; 0 where it does not exist. */
async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) return found.size;
    const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0;
  }
}

const DEFAULT_INDEX = "https://pypi.org/simple";
const ATTEMPTS = 3;
/** The index's JSON (PEP 691); mirrors that only have HTML (PEP 503) send that. */
const ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";

/** Path of a wheel from `PIP_INDEX_URL` or the public index. @throws {EngineError} where unreachable or not there, {ConfigError} where the proxy is no address */
export async function downloadByAddress({ pin, folder, report }: Download): Promise<string> {
  const index = process.env["PIP_INDEX_URL"] ?? DEFAULT_INDEX;
  const path = join(folder, pin.file);
  const label = `download ${parseWheelName(pin.file).project}`;
  const client = new HttpClient();
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await request(client, await findAddress(client, index, pin));
        await saveBody(response, path, (done) => {
          report({ label, done, total: pin.bytes, unit: "bytes" });
        });
        return path;
      } catch (error) {
        if (error instanceof ConfigError) throw error;
        if (error instanceof EngineError || attempt === ATTEMPTS) throw unreachable(index, pin, error);
      }
    }
  } finally {
    await client.close();
  }
}

async function findAddress(client: HttpClient, index: string, pin: WheelPin): Promise<URL> {
  const page = new URL(`${index.replace(/\/+$/, "")}/${parseWheelName(pin.file).project}/`);
  const response = await request(client, page, { Accept: ACCEPT });
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

/** @throws {EngineError} where the answer is no success */
async function request(client: HttpClient, address: URL, headers?: Record<string, string>): Promise<Response> {
  const response = await client.get(address, headers);
  if (response.ok) return response;
  throw new EngineError(`${withoutPassword(address)} answers ${response.status} ${response.statusText}`);
}

/** @param onBytes  told how many bytes have come so far */
async function saveBody({ body }: Response, path: string, onBytes: (done: number) => void): Promise<void> {
  if (body === null) throw new Error("the answer is empty");
  let done = 0;
  const counted = Readable.fromWeb(body).map((chunk: Uint8Array) => {
    done += chunk.length;
    onBytes(done);
    return chunk;
  });
  await pipeline(counted, createWriteStream(path));
}

function unreachable(index: string, pin: WheelPin, error: unknown): EngineError {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  const reason = error instanceof Error ? error.message : String(error);
  return new EngineError(
    `${pin.file} cannot be downloaded from ${withoutPassword(new URL(index))} (${reason}${cause}); ` +
      "set PIP_INDEX_URL to a mirror, or give the file with --wheel FILE",
  );
}
