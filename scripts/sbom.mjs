// `npm run sbom [-- FILE]`: writes the packages of docs/dependencies.md in CycloneDX, with the lockfile's hashes.
// `npm sbom --omit dev` would leave out what development needs too (zod, yaml), and names the package by its folder.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./steps.mjs";

const [file = join(ROOT, "sbom.cdx.json")] = process.argv.slice(2);
const { name } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const made = execFileSync("npm", ["sbom", "--package-lock-only", "--sbom-format", "cyclonedx"], {
  cwd: ROOT,
  encoding: "utf8",
  maxBuffer: 2 ** 26,
});
const { metadata, components, dependencies, ...rest } = JSON.parse(made);
const isForDevelopment = ({ properties }) =>
  properties.some((property) => property.name === "cdx:npm:package:development");
const left = new Set(components.filter(isForDevelopment).map((component) => component["bom-ref"]));
const sbom = {
  ...rest,
  metadata: { ...metadata, component: { ...metadata.component, name } },
  components: components.filter((component) => !isForDevelopment(component)),
  dependencies: dependencies
    .filter(({ ref }) => !left.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((needed) => !left.has(needed)) })),
};
writeFileSync(file, `${JSON.stringify(sbom, null, 2)}\n`);
