import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { main } from "../../src/cli/main.js";

const PAGES = [
  "README.md",
  "IQA_Database/README.md",
  "checkpoints/README.md",
  "docs/data.md",
  "scripts/quickstart.mjs",
];

/** `npx liqe ...` up to its remark, which stands two spaces away, or the end of a code span. */
const commands = PAGES.flatMap((page) =>
  [...readFileSync(join(PACKAGE_ROOT, page), "utf8").matchAll(/npx liqe ([^`\n]*?)(?= {2}|`|$)/gm)].map(
    (match) => [page, match[1] ?? ""] as const,
  ),
);

async function helpOf(words: readonly string[]): Promise<string> {
  let help = "";
  const log = vi.spyOn(console, "log").mockImplementation((text: string) => {
    help += text; // yargs prints its help so
  });
  try {
    await main([...words, "--help"]);
    return help;
  } finally {
    log.mockRestore();
  }
}

describe("the pages for users", () => {
  it("show commands at all", () => {
    expect(new Set(commands.map(([page]) => page)).size).toBe(PAGES.length);
  });

  it.each(commands)("%s shows a command that exists, with its options: liqe %s", async (_, line) => {
    const words = line.split(" ");
    const isGroup = ["data", "engine", "weights"].includes(words[0] ?? "");
    const named = words.slice(0, isGroup ? 2 : 1).filter((word) => !word.startsWith("--"));
    const help = await helpOf(named);
    expect(help).toContain(["liqe", ...named].join(" "));
    for (const option of words.filter((word) => word.startsWith("--"))) expect(help).toContain(option);
    for (const config of words.filter((word) => word.endsWith(".yaml"))) {
      expect(existsSync(join(PACKAGE_ROOT, "configs", config))).toBe(true);
    }
  });
});
