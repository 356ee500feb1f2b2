/** The service's page: `examples/browser/served`, which shares its parts with the page of that example. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { PACKAGE_ROOT } from "../../base/packageInfo.js";

/** Nothing but the page's own files. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
} as const;

/** Files of the page from `examples/browser`, which are their addresses too. */
const FILES = [
  "served/page.js",
  "src/shared/cards.js",
  "src/shared/elements.js",
  "src/shared/intake.js",
  "src/shared/picture.js",
  "src/style.css",
  "public/icon.svg",
];

interface PageFile {
  readonly address: string;
  readonly type: string;
  readonly contents: Buffer;
}

/** All files of the page, with their addresses. */
export async function readPage(): Promise<PageFile[]> {
  const read = async (address: string, file: string): Promise<PageFile> => {
    const type = Object.entries(TYPES).find(([ending]) => file.endsWith(ending))?.[1];
    if (type === undefined) throw new Error(`internal: ${file} has no type`);
    return { address, type, contents: await readFile(path.join(PACKAGE_ROOT, "examples", "browser", file)) };
  };
  return Promise.all([read("/", "served/index.html"), ...FILES.map((file) => read(`/${file}`, file))]);
}
