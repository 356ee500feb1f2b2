/** TensorFlow.js packages that are loaded when they are needed, by path, or may be missing. */
import { createRequire } from "node:module";
import { dirname } from "node:path";

// `require`, not `import`: the union package's types would give every tensor its chained operations (`a.add(b)`),
// which browsers do not have; and a native binding can be loaded by `require` alone.
const require = createRequire(import.meta.url);

/** The folder of an installed package, or null where it is not installed. */
export function packageFolder(name: string): string | null {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return null;
  }
}

/** What a CommonJS module or a native binding exports. @throws where it cannot be found or does not load */
export function loadModule(specifier: string): unknown {
  return require(specifier);
}
