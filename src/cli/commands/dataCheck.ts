import { ConfigError } from "../../base/errors.js";
import type { CheckOptions, CheckReport, DatabaseCounts, Finding, Severity } from "../../data/audit/findings.js";
import { defineCommand } from "../command.js";

export interface DataCheckOptions {
  readonly config: string | undefined;
  readonly set: readonly string[];
  readonly list: string | undefined;
  readonly images: string | undefined;
  readonly listsOnly: boolean;
  readonly pixels: boolean;
  readonly json: boolean;
}

/** Findings of one kind that are shown to people; `--json` has them all. */
const SHOWN_OF_A_KIND = 5;

const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

export const dataCheckCommand = defineCommand({
  command: "check",
  describe: "look for what is wrong with databases before it costs a day",
  builder: (yargs) =>
    yargs
      .option("config", { type: "string", requiresArg: true, describe: "check the databases of this config" })
      .option("set", {
        type: "string",
        array: true,
        default: [] as string[], // yargs infers never[] else
        requiresArg: true,
        describe: "change the config, as in --set data.root=/data",
      })
      .option("list", { type: "string", requiresArg: true, describe: "check this list (with --images)" })
      .option("images", { type: "string", requiresArg: true, describe: "the folder of the list's images" })
      .option("lists-only", { type: "boolean", default: false, describe: "leave the images alone" })
      .option("pixels", {
        type: "boolean",
        default: true,
        describe: "decode every image: finds damage and copies; --no-pixels reads headers only",
      })
      .option("json", { type: "boolean", default: false, describe: "one JSON object on standard output" })
      .conflicts("config", ["list", "images"])
      .example("$0 data check --config six-databases.yaml", "all lists of all splits, and every image")
      .example("$0 data check --config kadid.yaml --no-pixels", "all that can be seen without decoding")
      .example("$0 data check --list mine.csv --images photos --json", "one list of one's own"),
  handler: async (options) => {
    const { createProgress } = await import("../progress.js");
    const { EXIT } = await import("../exitCodes.js");
    const progress = createProgress();
    try {
      const report = await runCheck(options, progress.report);
      progress.stop();
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : describeReport(report));
      if (report.findings.some(({ severity }) => severity === "error")) process.exitCode = EXIT.data;
    } finally {
      progress.stop();
    }
  },
});

async function runCheck(
  { config: name, set, list, images, listsOnly, pixels }: DataCheckOptions,
  report: NonNullable<CheckOptions["report"]>,
): Promise<CheckReport> {
  const [{ checkDatabases, checkList }, { PUBLISHED_LABELS }] = await Promise.all([
    import("../../data/audit/check.js"),
    import("../../model/prompts/labels.js"),
  ]);
  const depth = listsOnly ? "lists" : pixels ? "pixels" : "headers";
  if (name !== undefined) {
    const { config } = (await import("../../api/config.js")).loadConfig(name, set);
    return checkDatabases(config.data, { tables: config.prompts, depth, images: config.data, report });
  }
  if (list === undefined || images === undefined) {
    throw new ConfigError("data check: what? give --config FILE, or --list FILE with --images FOLDER");
  }
  return checkList(list, images, { tables: PUBLISHED_LABELS, depth, report });
}

/** The report for people: a paragraph for each database, then what was found, the worst first. */
export function describeReport({ findings, counts }: CheckReport): string {
  const databases = Object.entries(counts).map(([name, found]) => describeCounts(name, found));
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const heading = `${finding.severity}: ${finding.database}: ${finding.kind}`;
    const group = groups.get(heading);
    if (group === undefined) groups.set(heading, [finding]);
    else group.push(finding);
  }
  const sections = SEVERITIES.flatMap((severity) =>
    [...groups].filter(([, [first]]) => first?.severity === severity).map(describeGroup),
  );
  const tally = SEVERITIES.map((severity) => {
    const n = findings.filter((finding) => finding.severity === severity).length;
    return `${n} ${severity}${n === 1 ? "" : "s"}`;
  });
  return `${[...databases, ...sections, tally.join(", ")].join("\n\n")}\n`;
}

function describeCounts(name: string, { images, splits, train, val, test, mos, ...labels }: DatabaseCounts): string {
  const score = mos === null ? "no score" : `MOS ${short(mos.low)} to ${short(mos.high)}, mean ${short(mos.mean)}`;
  const listed = `${images} images in ${splits === 1 ? "1 split" : `${splits} splits`}`;
  return [
    `${name}: ${listed} (the first: ${train} train, ${val} val, ${test} test); ${score}`,
    ...Object.entries(labels).map(([kind, table]) => `  ${kind}: ${describeTally(table)}`),
  ].join("\n");
}

function describeTally(table: Readonly<Record<string, number>>): string {
  const entries = Object.entries(table).map(([label, n]) => `${label} ${n}`);
  return entries.length === 0 ? "no labels" : entries.join(", ");
}

function describeGroup([heading, found]: [string, Finding[]]): string {
  const lines = found.slice(0, SHOWN_OF_A_KIND).map(({ message }) => `  ${message.replaceAll("\n", "\n  ")}`);
  if (found.length > lines.length) lines.push(`  and ${found.length - lines.length} more`);
  return [`${heading} (${found.length})`, ...lines].join("\n");
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
