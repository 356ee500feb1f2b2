#!/usr/bin/env node
import { existsSync } from "node:fs";

const program = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(program)) {
  const { leave, main } = await import(program.href);
  leave(await main(process.argv.slice(2)));
} else {
  console.error("liqe: this checkout is not compiled yet; run `npm install` and then `npm run build`.");
  process.exitCode = 1;
}
