// `npm run docs`: writes docs/config.md, every key of a config with its default and its meaning, from the schemas.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build, main, ROOT } from "./steps.mjs";

/** Characters of a default that the table shows; longer ones stand below it. */
const LONGEST = 40;

const HEAD = `# Configs

Every key of a config, with its default and its meaning; \`npm run docs\` makes this page from the schemas, which
\`liqe config show FILE\` reads too. A config is YAML, one section for each part below. A key without a default that is not
marked "required" may be left out. \`--set train.epochs=2\` changes one key, \`--set data.databases.0.imagesPerStep=8\` one
of a list. An unknown key is an error that names the nearest known one. \`liqe init PATH\` writes a first config for your
own data; \`configs/\` has those of the six databases.
`;

/** Keys without which no config is accepted. */
const REQUIRED = ["run", "model.weights", "data.databases[].name"];

/** @param {readonly import("../dist/api/showConfig.js").KnownKey[]} keys */
export function configPage(keys) {
  const sections = [...new Set(keys.map(sectionOf))];
  return [
    HEAD,
    ...sections.map((section) =>
      sectionText(
        section,
        keys.filter((key) => sectionOf(key) === section),
      ),
    ),
  ]
    .join("\n")
    .trimEnd()
    .concat("\n");
}

function sectionOf({ key }) {
  return key.includes(".") ? key.split(".")[0].replace("[]", "") : "run and seed";
}

function sectionText(section, keys) {
  const cells = keys.map(({ key, default: usual, choices, meaning }) => [
    `\`${key}\``,
    REQUIRED.includes(key) ? "required" : usual === undefined ? "" : shortDefault(usual),
    [...(choices === null ? [] : [choices.map((choice) => `\`${choice}\``).join(", ")]), meaning].join(": "),
  ]);
  const rows = [["key", "default", "meaning"], ...cells];
  const widths = [0, 1, 2].map((i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const [head, ...lines] = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const long = keys.filter(({ default: usual }) => usual !== undefined && JSON.stringify(usual).length > LONGEST);
  const below = long.map(({ key, default: usual }) => `\nDefault of \`${key}\`: ${listed(usual)}.`);
  return [`## ${section}\n`, head, rule, ...lines, ...below, ""].join("\n");
}

function shortDefault(usual) {
  const text = JSON.stringify(usual);
  return text.length > LONGEST ? "below" : `\`${text}\``;
}

/** A long default as prose: a text, the items of a list, or classes with their types. */
function listed(usual) {
  if (typeof usual === "string") return `\`${usual}\``;
  if (Array.isArray(usual)) return usual.join(", ");
  return Object.entries(usual)
    .map(([name, types]) => `${name} (${types.join(", ")})`)
    .join("; ");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    await build();
    const { knownKeys } = await import("../dist/api/showConfig.js");
    writeFileSync(join(ROOT, "docs", "config.md"), configPage(knownKeys()));
  });
}
