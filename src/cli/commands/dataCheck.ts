import type { CheckReport, DatabaseCounts, Finding, Severity } from "../../data/audit/findings.js";
import { defineCommand, printReport } from "../command.js";
import { flagOption, followLinksOption, jsonOption, listOption, megapixelsOption, textOption } from "../options.js";

/** Most findings of one kind that are shown to people; `--json` has them all. */
const SHOWN_OF_A_KIND = 5;

const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

export const dataCheckCommand = defineCommand({
  command: "check",
  describe: "check databases: lists, labels, images, copies",
  builder: (yargs) =>
    yargs
      .option("config", textOption("check the databases of this config"))
      .option("set", listOption("change the config, as in --set data.root=/data"))
      .option("list", textOption("check this list (with --images)"))
      .option("images", textOption("the folder of the list's images"))
      .option("lists-only", flagOption("check the lists only, not the images"))
      .option("pixels", {
        ...flagOption("decode every image: finds damage and copies; --no-pixels reads headers only"),
        default: true,
      })
      .option("max-megapixels", megapixelsOption("the config's, or 64"))
      .option("follow-links", followLinksOption)
      .option("json", jsonOption)
      .conflicts("config", ["list", "images"])
      .example("$0 data check --config six-databases.yaml", "all lists of all splits, and every image")
      .example("$0 data check --config kadid.yaml --no-pixels", "all checks that decode no image")
      .example("$0 data check --list mine.csv --images photos --json", "your own list"),
  writes: () => [],
  handler: async (options) => {
    const { withProgress } = await import("../progress.js");
    const { EXIT } = await import("../exitCodes.js");
    const { checkData } = await import("../../api/checkData.js");
    await withProgress(async (progress) => {
      const { config, set, list, images, maxMegapixels, followLinks, listsOnly, pixels } = options;
      const depth = listsOnly ? "lists" : pixels ? "pixels" : "headers";
      const onProgress = progress.onEvent;
      const report = await checkData({ config, set, list, images, maxMegapixels, followLinks, depth, onProgress });
      progress.stop();
      printReport(report, options, describeReport);
      if (report.findings.some(({ severity }) => severity === "error")) process.exitCode = EXIT.data;
    });
  },
});

/** Report for people: a paragraph for each database, then the findings, the worst first. */
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
