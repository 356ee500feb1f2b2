import { createRequire } from "node:module";
import { dirname } from "node:path";

// `require`, not `import`: the union package's types would give every tensor its chained operations (`a.add(b)`),
// which browsers do not have; and only `require` loads a native binding.
const require = createRequire(import.meta.url);

/** Folder of an installed package, or null where it is not installed. */
export function packageFolder(name: string): string | null {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return null;
  }
}

/** Exports of a CommonJS module or a native binding. @throws where it cannot be found or does not load */
export function loadModule(specifier: string): unknown {
  return require(specifier);
}
