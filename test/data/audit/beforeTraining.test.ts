import { describe, expect, it } from "vitest";
import { type Finding, type FindingKind, reportAudit, type Severity } from "../../../src/data/audit/findings.js";

const finding = (kind: FindingKind, severity: Severity, message: string): Finding => {
  return { kind, severity, database: "mine", list: null, line: null, image: null, message };
};

function notesOf(findings: Finding[], onFindings: "stop" | "warn"): string[] {
  const notes: string[] = [];
  reportAudit(findings, onFindings, (text) => notes.push(text));
  return notes;
}

describe("reportAudit", () => {
  const polarity = finding("polarity", "error", "l.txt: turned");

  it("stops at errors, naming them, unless the config says to go on", () => {
    const stopped = () => notesOf([polarity], "stop");
    expect(stopped).toThrow(
      /^data: 1 error in the lists; .*data\.onFindings=warn trains all the same\n {2}l\.txt: turned$/,
    );
    expect(notesOf([polarity], "warn")).toEqual([
      'data: 1 error in the lists; "liqe data check" lists them all\n  l.txt: turned',
    ]);
  });

  it("says warnings once a kind, and no notes", () => {
    const many = [1, 2, 3].map((i) => finding("contradiction", "warning", `line ${i}`));
    expect(notesOf([...many, finding("skew", "note", "a fact")], "stop")).toEqual([
      "mine: contradiction: 3 warnings, such as line 1",
    ]);
  });
});
