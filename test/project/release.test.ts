import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

const read = (file: string) => readFileSync(join(PACKAGE_ROOT, file), "utf8");
const text = z.string().min(1);

/** The fields that the file has of a workflow; another one is a mistake, or is to be looked at here. */
const Step = z.strictObject({
  name: text.optional(),
  uses: text.optional(),
  with: z.record(text, z.union([text, z.number(), z.boolean()])).optional(),
  run: text.optional(),
  env: z.record(text, text).optional(),
});
const Workflow = z.strictObject({
  name: text,
  on: z.strictObject({ push: z.strictObject({ tags: z.array(text) }) }),
  permissions: z.strictObject({}),
  jobs: z.record(
    text,
    z.strictObject({
      needs: text.optional(),
      "runs-on": text,
      permissions: z.record(text, z.enum(["read", "write"])),
      steps: z.array(Step),
    }),
  ),
});

describe(".github/workflows/release.yml", () => {
  const source = read(".github/workflows/release.yml");
  const { on, jobs } = Workflow.parse(parse(source));
  const steps = Object.values(jobs).flatMap((job) => job.steps);
  const commandsOf = (job: string) => jobs[job]?.steps.flatMap(({ run }) => run ?? []) ?? [];

  it("runs for tags of versions alone", () => {
    expect(on).toEqual({ push: { tags: ["v*"] } });
  });

  it("gives each job the permissions that it needs, and none to a job without a list", () => {
    expect(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.permissions]))).toEqual({
      check: { contents: "read" },
      publish: { contents: "read", "id-token": "write" },
      release: { contents: "write" },
    });
  });

  it("runs no package's code where it may write to the repository", () => {
    expect(commandsOf("release").filter((run) => /npm (ci|install|test)|npx/.test(run))).toEqual([]);
    expect(
      read("scripts/sbom.mjs")
        .match(/from "[^"]+"/g)
        ?.filter((from) => !/"(node:|\.\/)/.test(from)),
    ).toEqual([]);
  });

  it("publishes with provenance after all checks passed, and makes the release after that", () => {
    expect(commandsOf("check").slice(1)).toEqual([
      "npm ci --ignore-scripts",
      "npm audit signatures",
      "npm test",
      "npm run test:slow",
    ]);
    expect(commandsOf("publish").at(-1)).toBe("npm publish --provenance --access public");
    expect([jobs["check"]?.needs, jobs["publish"]?.needs, jobs["release"]?.needs]).toEqual([
      undefined,
      "check",
      "publish",
    ]);
  });

  it("has the SBOM as a file of the release", () => {
    const [made, released] = commandsOf("release");
    expect(made).toBe("npm run sbom");
    const [, written = ""] = /join\(ROOT, "([\w.]+)"\)\] = process/.exec(read("scripts/sbom.mjs")) ?? [];
    expect(released?.split(" ")).toContain(written);
  });

  it("runs npm's scripts that there are", () => {
    const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read("package.json")));
    const called = [...source.matchAll(/\bnpm (?:run ([\w:]+)|(test))\b/g)].map(([, run, test]) => run ?? test ?? "");
    expect(called.length).toBeGreaterThan(3);
    expect(called.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("pins each action by its commit, with its version beside it, and leaves no token in the checkout", () => {
    const used = [...source.matchAll(/uses: (.*)/g)].map((match) => match[1] ?? "");
    expect(used).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length);
    expect(used.filter((line) => !/^actions\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
    const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.map((step) => step.with?.["persist-credentials"])).toEqual([false, false, false]);
  });

  it("puts no text of an event into a shell's command, and asks for no secret", () => {
    expect(steps.filter(({ run }) => run?.includes("${{"))).toEqual([]);
    expect(source).not.toContain("secrets.");
  });
});
