import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { besidePeople } from "../../scripts/quickstart.mjs";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { main } from "../../src/cli/main.js";
import { benchmarkTable } from "../../src/evaluate/tables/benchmarkTable.js";
import type { Results } from "../../src/evaluate/results/results.js";
import { IS_BUILT } from "../cli/liqe.js";

/** Arguments that each parsed command line came to; no command does its work. */
const called = vi.hoisted(() => [] as unknown[]);
vi.mock(import("../../src/cli/command.js"), async (original) => ({
  ...(await original()),
  defineCommand: (spec) => {
    const handler = (args: unknown) => Promise.resolve(void called.push(args));
    return { ...spec, register: (parent) => parent.command({ ...spec, handler }) };
  },
}));

const PAGES = [
  "README.md",
  "IQA_Database/README.md",
  "checkpoints/README.md",
  "docs/data.md",
  "docs/install.md",
  "docs/results.md",
  "docs/tasks.md",
  "scripts/quickstart.mjs",
];

function textOf(page: string): string {
  return readFileSync(join(PACKAGE_ROOT, page), "utf8");
}

/** `npx liqe ...` up to its remark, which stands two spaces away, the end of a code span, or a pipe. */
function commandsOf(page: string): string[] {
  return [...textOf(page).matchAll(/npx liqe ([^`\n]*?)(?= {2}| \||`|$)/gm)].map((match) => match[1] ?? "");
}

const commands = PAGES.flatMap((page) => commandsOf(page).map((line) => [page, line] as const)).filter(
  ([, line]) => line !== "--help", // prints instead of calling a command
);

/** Words of a command line as a shell gives them: quotes hold one together. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? "",
  );
}

/** Configs that the pages write by `liqe init` before they use them. */
const written = new Set(
  commands.flatMap(([, line]) => (line.startsWith("init ") ? [/--out (\S+\.yaml)/.exec(line)?.[1] ?? ""] : [])),
);

describe("the pages for users", () => {
  let complaints = "";
  beforeEach(() => {
    called.length = 0;
    complaints = "";
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      complaints += String(text);
      return true;
    });
  });

  it("show commands at all", () => {
    expect(new Set(commands.map(([page]) => page)).size).toBe(PAGES.length);
  });

  it.each(commands)("%s shows a command line that the program accepts: liqe %s", async (_, line) => {
    const words = wordsOf(line);
    try {
      await main(words);
    } finally {
      process.exitCode = undefined;
    }
    expect([complaints, called.length]).toEqual(["", 1]);
    for (const config of words.filter((word) => word.endsWith(".yaml") && !written.has(word))) {
      expect(existsSync(join(PACKAGE_ROOT, "configs", config))).toBe(true);
    }
  });

  it("would show a line that the program refuses", async () => {
    await main(wordsOf("predict photo.jpg --checkpoint checkpoints/kadid --sorted quality"));
    process.exitCode = undefined;
    expect(called).toEqual([]);
    expect(complaints).toContain('unknown option "--sorted"');
  });
});

describe("docs/tasks.md", () => {
  it("has at least twenty tasks, each with a command of its own", () => {
    const tasks = [...textOf("docs/tasks.md").matchAll(/^(\S[^\n]*):\n\n {4}([^\n]+)$/gm)].map((match) => match[2]);
    expect(tasks.length).toBeGreaterThanOrEqual(20);
    expect(new Set(tasks).size).toBe(tasks.length);
    expect(tasks).toHaveLength(commandsOf("docs/tasks.md").length);
  });
});

/** The README's block below a comment `<!-- printed: NAME -->`. */
function printed(name: string): string {
  return new RegExp(`<!-- printed: ${name} -->\n\n\`\`\`\\w*\n([^]*?)\`\`\``).exec(textOf("README.md"))?.[1] ?? "";
}

/** A file that a real run of the quickstart left: see the folder's README. */
function ofRun(name: string): string {
  return textOf(join("test/fixtures/quickstart", name));
}

describe.skipIf(!IS_BUILT)("what the README says that the quickstart prints", () => {
  it("is what the program prints of a real run's results and predictions", async () => {
    const results = JSON.parse(ofRun("results.json")) as Results; // our own file
    const four = await besidePeople(ofRun("predictions.csv"));
    expect(printed("quickstart")).toBe(`${benchmarkTable(results)}\n${four}\n`);
  });

  it("holds for three photographs, the best first", async () => {
    const { sentence } = await import("../../src/cli/commands/predict.js");
    const rows = ofRun("predict.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line) as Parameters<typeof sentence>[0]); // prettier-ignore
    const lines = rows.map((row) => `${sentence({ ...row, levels: 5, isEnlarged: false, heatmap: null })}\n`);
    expect(printed("predict")).toBe(lines.join(""));
    expect(rows.map(({ quality }) => quality)).toEqual(rows.map(({ quality }) => quality).toSorted((a, b) => b - a));
  });
});
