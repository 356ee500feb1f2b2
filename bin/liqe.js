#!/usr/bin/env node
import { existsSync } from "node:fs";

const OLDEST_NODE = [20, 11]; // package.json, "engines": the first with import.meta.dirname
const program = new URL("../dist/cli/main.js", import.meta.url);
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  console.error(
    `liqe: needs Node ${OLDEST_NODE.join(".")} or later, this is ${process.versions.node}; get one from nodejs.org.`,
  );
  process.exitCode = 2;
} else if (existsSync(program)) {
  const { leave, main } = await import(program.href);
  leave(await main(process.argv.slice(2)));
} else {
  console.error("liqe: this checkout is not compiled yet; run `npm install` and then `npm run build`.");
  process.exitCode = 1;
}
