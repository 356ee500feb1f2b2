/** What `liqe train` makes of the audit of its lists. */
import { DataError } from "../../base/errors.js";
import { count, problemLines } from "../../base/text.js";
import type { Finding } from "../../data/audit/findings.js";
import type { DataConfig } from "../../data/config.js";

/** Findings that are shown; `liqe data check` has them all. */
const SHOWN = 5;

const MORE = '"liqe data check" lists them all';

/**
 * Says how many warnings there are, the first of each kind, and stops at errors unless `data.onFindings` is `warn`.
 *
 * @throws {DataError} naming the first errors
 */
export function reportAudit(
  findings: readonly Finding[],
  onFindings: DataConfig["onFindings"],
  note: (text: string) => void,
): void {
  const of = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity);
  const errors = of("error").map(({ message }) => message);
  if (errors.length > 0 && onFindings === "stop") {
    const heading = `data: ${count(errors.length, "error")} in the lists; ${MORE}, data.onFindings=warn trains all the same`;
    throw new DataError(problemLines(heading, errors, SHOWN));
  }
  if (errors.length > 0)
    note(problemLines(`data: ${count(errors.length, "error")} in the lists; ${MORE}`, errors, SHOWN));
  const kinds = new Map<string, Finding[]>();
  for (const finding of of("warning")) {
    const kind = `${finding.database}: ${finding.kind}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), finding]);
  }
  for (const [kind, found] of kinds)
    note(`${kind}: ${count(found.length, "warning")}, such as ${found[0]?.message ?? ""}`);
}
