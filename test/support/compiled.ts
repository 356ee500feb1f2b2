import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OPTIONS: ts.CompilerOptions = { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022 };

export interface Compiled {
  /** Runs a module's text as a program; it imports from `./src/...`. */
  readonly run: (source: string, env?: Readonly<Record<string, string>>) => SpawnSyncReturns<string>;
  readonly remove: () => void;
}

/**
 * Compiles folders of src/, without checking types, for tests of what a whole process does: prints, dies of, or starts
 * with. The copy is inside node_modules, where it finds the packages.
 */
export function compile(folders: readonly string[]): Compiled {
  const caches = join(ROOT, "node_modules", ".cache");
  mkdirSync(caches, { recursive: true });
  const copy = mkdtempSync(join(caches, "liqe-test-"));
  writeFileSync(join(copy, "package.json"), '{"type":"module"}');
  for (const folder of folders) {
    for (const name of readdirSync(join(ROOT, "src", folder), { recursive: true, encoding: "utf8" })) {
      if (name.endsWith(".cc")) {
        mkdirSync(dirname(join(copy, "src", folder, name)), { recursive: true });
        copyFileSync(join(ROOT, "src", folder, name), join(copy, "src", folder, name));
      }
      if (!name.endsWith(".ts")) continue;
      const { outputText } = ts.transpileModule(readFileSync(join(ROOT, "src", folder, name), "utf8"), {
        compilerOptions: OPTIONS,
      });
      const target = join(copy, "src", folder, name.replace(/\.ts$/, ".js"));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, outputText);
    }
  }
  return {
    run: (source, env = {}) => {
      writeFileSync(join(copy, "program.js"), source);
      const options = { encoding: "utf8", env: { ...process.env, ...env } } as const; // else the output is a Buffer's
      return spawnSync(process.execPath, [join(copy, "program.js")], options);
    },
    remove: () => {
      rmSync(copy, { recursive: true, force: true });
    },
  };
}
