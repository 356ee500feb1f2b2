import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { decimate } from "../../../src/evaluate/report/databaseCharts.js";
import { escapeHtml } from "../../../src/base/text.js";
import { fileName, html } from "../../../src/evaluate/report/html.js";
import { reportPage } from "../../../src/evaluate/report/reportPage.js";
import { grouped, trainingHistory } from "../../../src/evaluate/report/training.js";
import { extremeImages } from "../../../src/evaluate/report/extremeImages.js";
import type { EvaluatedDatabase } from "../../../src/evaluate/scoring/predictions.js";
import { prediction } from "../support.js";
import { evaluated, metricsText, reportData } from "./fixture.js";

describe("html", () => {
  it("escapes every value that is not HTML already, in lists too", () => {
    expect(html`<p title="${'"<&'}">${[html`<b>${"'>"}</b>`, html`x`]}${3}</p>`.text).toBe(
      '<p title="&quot;&lt;&amp;"><b>&#39;&gt;</b>x3</p>',
    );
    expect(escapeHtml("a&amp;b")).toBe("a&amp;amp;b");
  });
  it("writes out the signs of a file's name that hide or turn text", () => {
    expect(fileName("a\u202egnp.e\nx\u200b<.png").text).toBe(
      '<bdi class="file">a\\u202egnp.e\\u000ax\\u200b&lt;.png</bdi>',
    );
  });
});

describe("thinned", () => {
  it("keeps the ends and even distances, and leaves few alone", () => {
    const items = Array.from({ length: 101 }, (_, i) => i);
    expect(decimate(items, 11)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    expect(decimate(items, 101)).toBe(items);
  });
});

describe("grouped", () => {
  it("makes runs of one length that lose no item", () => {
    const { size, groups } = grouped([1, 2, 3, 4, 5, 6, 7], 3);
    expect([size, groups]).toEqual([3, [[1, 2, 3], [4, 5, 6], [7]]]); // prettier-ignore
    expect(grouped([1, 2], 5)).toEqual({ size: 1, groups: [[1], [2]] });
  });
});

describe("trainingHistory", () => {
  it("reads steps and epochs, NaN where it stands, and counts the lines it cannot read", () => {
    const history = trainingHistory(metricsText(20));
    if (!history.ok) throw new Error(history.reason);
    expect([history.steps.length, history.epochs.length, history.unread]).toEqual([20, 2, 1]);
    expect(history.steps[3]?.loss).toBeNaN();
  });
  it("gives a reason where there is nothing", () => {
    expect(trainingHistory("")).toEqual({ ok: false, reason: "metrics.jsonl holds no step that can be read" });
  });
});

describe("extremeImages", () => {
  const images = [
    prediction({ image: "near", quality: 2, mos: 21 }),
    prediction({ image: "far", quality: 3, mos: 90 }),
    prediction({ image: "between", quality: 5, mos: 60 }),
  ];
  const named = (judged: ReturnType<typeof extremeImages>["best"]) =>
    judged.map(({ prediction: { image }, onMos }) => [image, onMos]);

  it("orders by the distance from the curve, which it reads between its points", () => {
    const curve = { quality: [1, 3, 5], mos: [10, 30, 50] };
    const mapping = { converged: true, formula: "", parameters: [], digits: 4, iterations: 1, startsTried: 1, startsConverged: 1, curve } as const; // prettier-ignore
    const { worst, best } = extremeImages({ mapping }, images, 2);
    expect([named(worst), named(best)]).toEqual([[["far", 30], ["between", 50]], [["near", 20]]]); // prettier-ignore
    const one = extremeImages({ mapping }, images, 1);
    expect([named(one.worst), named(one.best)]).toEqual([[["far", 30]], [["near", 20]]]);
  });
  it("orders by ranks where no curve was fitted", () => {
    const swapped = [1, 2, 3, 4].map((quality, i) =>
      prediction({ image: `${i}`, quality, mos: [40, 20, 30, 10][i] ?? 0 }),
    );
    const { worst, best } = extremeImages({ mapping: null }, swapped, 9);
    expect([named(worst), named(best)]).toEqual([
      [["0", null], ["3", null]],
      [["2", null], ["1", null]],
    ]); // prettier-ignore
  });
});

describe("reportPage", () => {
  it("is the same when made again, runs its own script alone, and has no id twice", async () => {
    const data = await reportData([evaluated("mine", 60, true), evaluated("list", 30, false)]);
    const page = reportPage(data);
    expect(reportPage(data)).toBe(page);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    const scripts = [...page.matchAll(/<script>([^]*?)<\/script>/g)].map((match) => match[1] ?? "");
    expect([scripts.length, page.split("<script").length - 1]).toEqual([1, 1]);
    const hash = createHash("sha256").update(scripts[0] ?? "").digest("base64"); // prettier-ignore
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
    expect(policy).toContain(`default-src &#39;none&#39;`);
    expect(policy).toContain(`script-src &#39;sha256-${hash}&#39;`);
    expect(policy.match(/script-src/g)).toHaveLength(1);
  });

  it("stays below 500 kB with 10,000 images, and says that it draws fewer", async () => {
    const page = reportPage(await reportData([evaluated("many", 10_000, true)], "raw"));
    expect(page).toContain("2000 of 10000 images are drawn");
    expect(Buffer.byteLength(page)).toBeLessThan(500_000);
  });

  it("says in place of each part that has no data why it is not there", async () => {
    const none: EvaluatedDatabase = { ...evaluated("none", 3, false), predictions: [] };
    const data = await reportData([none]);
    const page = reportPage({
      ...data,
      training: { ok: false, reason: "a weight file has no record of its training" },
    });
    for (const reason of [
      "No scatter: no image has a score.",
      "No intervals: there is no measure between 0 and 1.",
      "No table by distortion: the list has no distortion labels.",
      "No confusion matrix of scenes: no image has both a label and a prediction.",
      "No best and worst images: no image has a score.",
      "No training curves: a weight file has no record of its training.",
      "none: no SRCC: too few images",
      "1 of 1 images have no score and are left out:",
    ]) {
      expect(page).toContain(reason);
    }
  });
});
