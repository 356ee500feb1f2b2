import { CheckpointError } from "../base/errors.js";

/** Gives a file of the export's folder by its name; whatever it throws is the reason that is shown. */
export type ReadFile = (name: string) => Promise<Uint8Array | ArrayBuffer>;

/** The address of an export's folder, relative to the page where it is not absolute; or what reads its files. */
export type LiqeSource = string | URL | ReadFile;

/** A folder to read from. */
export interface Folder {
  /** A file's name with its folder, for messages. */
  readonly where: (name: string) => string;
  /** @throws {CheckpointError} where it cannot be had */
  readonly read: (name: string) => Promise<ArrayBuffer>;
}

/** @throws {CheckpointError} where the address is none */
export function openSource(source: LiqeSource): Folder {
  if (typeof source === "function") {
    const read = async (name: string) => exactBuffer(await source(name).catch((error: unknown) => refuse(name, error)));
    return { where: (name) => name, read };
  }
  const base = folderAddress(source);
  const where = (name: string) => new URL(name, base).href;
  return { where, read: (name) => download(where(name)) };
}

/** Names of files are resolved against it, so that it ends in a slash. */
function folderAddress(source: string | URL): URL {
  const page = (globalThis as { readonly location?: { readonly href: string } }).location?.href; // none in Node
  const text = String(source);
  if (!URL.canParse(text, page)) {
    throw new CheckpointError(
      `Liqe.load: "${text}" is no address; begin it with https://, or give a function that reads`,
    );
  }
  const url = new URL(text, page);
  url.search = "";
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

async function download(address: string): Promise<ArrayBuffer> {
  const response = await fetch(address).catch((error: unknown) => refuse(address, error));
  if (!response.ok) refuse(address, new Error(`the server answers ${response.status}`));
  return response.arrayBuffer().catch((error: unknown) => refuse(address, error));
}

function refuse(where: string, error: unknown): never {
  const reason = error instanceof Error ? error.message : String(error);
  throw new CheckpointError(`${where}: cannot be read (${reason}); is this a folder that \`liqe export\` wrote?`, {
    cause: error,
  });
}

/** The bytes alone: a view may be a part of something larger, as Node's buffers are, whose `slice` is one again. */
function exactBuffer(bytes: Uint8Array | ArrayBuffer): ArrayBuffer {
  return bytes instanceof ArrayBuffer ? bytes : new Uint8Array(bytes).buffer;
}
