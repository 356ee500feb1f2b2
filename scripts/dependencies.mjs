// `npm run docs`: writes docs/dependencies.md, every package that an installation of liqe-train has, from the lockfile.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "./steps.mjs";

const HEAD = `# Dependencies

Every package that \`npm install liqe-train\` may bring, with its license and the packages that need it; \`npm run docs\` makes
this page from \`package-lock.json\`. [CONTRIBUTING](../CONTRIBUTING.md#dependencies-each-with-its-reason) has the reason for
each one that liqe-train itself needs. Packages for one platform (\`@img/sharp-...\`) are installed on that platform alone,
and nobody's installation has all of them.

The licenses are permissive but for libvips, which is under the LGPL: sharp loads it as a library of its own
(\`@img/sharp-libvips-...\`; on Windows and in WebAssembly it is part of \`@img/sharp-...\`), and you may put another build in
its place. The package of liqe-train contains none of these packages.

\`liqe engine install\` brings TensorFlow (Apache-2.0) from the Python index; for the \`gpu\` flavor NVIDIA's libraries as
well, each under the license in its wheel. \`src/engine/install/pins.ts\` lists their files.
`;

/** Kinds of dependencies that an installation brings with a package. */
const KINDS = ["dependencies", "optionalDependencies", "peerDependencies"];

/**
 * Packages of a lockfile without those that development alone needs, once for each name and version, by name.
 *
 * @param {{ readonly packages: Readonly<Record<string, any>> }} lockfile
 */
export function productionPackages({ packages }) {
  const found = new Map();
  const kept = Object.entries(packages).filter(([, { dev }]) => !dev);
  for (const [path, { version, license }] of kept.filter(([path]) => path !== "")) {
    found.set(idOf(path, version), { name: nameOf(path), version, license, neededBy: new Set() });
  }
  for (const [path, entry] of kept) {
    for (const name of KINDS.flatMap((kind) => Object.keys(entry[kind] ?? {}))) {
      const place = placeOf(packages, path, name);
      if (place === undefined) continue; // a peer that nobody installs
      const needed = found.get(idOf(place, packages[place].version));
      needed?.neededBy.add(path === "" ? entry.name : nameOf(path));
    }
  }
  const sortKey = ({ name, version }) => `${name} ${version}`; // a space is before every character of a name
  return [...found.values()]
    .toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
    .map((entry) => ({ ...entry, neededBy: [...entry.neededBy].toSorted() }));
}

function nameOf(path) {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

function idOf(path, version) {
  return `${nameOf(path)}@${version}`;
}

/** Path of the package that Node finds by `name` from the one at `path`: in its own folder, or in one above it. */
function placeOf(packages, path, name) {
  const above = path.lastIndexOf("node_modules/");
  const place = `${path === "" ? "" : `${path}/`}node_modules/${name}`;
  if (place in packages || path === "") return place in packages ? place : undefined;
  return placeOf(packages, path.slice(0, Math.max(0, above - 1)), name);
}

/** Text of docs/dependencies.md. */
export function dependenciesPage(packages) {
  const counts = new Map();
  for (const { license } of packages) counts.set(license, (counts.get(license) ?? 0) + 1);
  const byCount = [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return [
    HEAD,
    table([["license", "packages"], ...byCount.map(([license, count]) => [license, String(count)])]),
    "",
    table([
      ["package", "version", "license", "needed by"],
      ...packages.map(({ name, version, license, neededBy }) => [`\`${name}\``, version, license, neededBy.join(", ")]),
    ]),
    "",
  ].join("\n");
}

function table([head, ...rows]) {
  const widths = head.map((name, i) => Math.max(3, name.length, ...rows.map((row) => row[i].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lockfile = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  writeFileSync(join(ROOT, "docs", "dependencies.md"), dependenciesPage(productionPackages(lockfile)));
}
