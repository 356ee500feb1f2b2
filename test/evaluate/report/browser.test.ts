import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { groupDifferentiation } from "../../../src/evaluate/metrics/gmad.js";
import { METRIC_NAMES } from "../../../src/evaluate/metrics/metrics.js";
import { gmadPage } from "../../../src/evaluate/report/gmadPage.js";
import { reportPage } from "../../../src/evaluate/report/reportPage.js";
import { CHROMIUM, launchChromium } from "../../support/chromium.js";
import { temporaryFolder } from "../../support/runs.js";
import { evaluated, HOSTILE, reportData } from "./fixture.js";
import { CONTRAST, FOCUSED } from "./inPage.js";

const WIDTHS = [360, 768, 1280];
/** WCAG 2.2, AA, for text of any size. */
const LEAST_CONTRAST = 4.5;

describe.skipIf(CHROMIUM === undefined)("report.html in a browser", async () => {
  const data = await reportData([evaluated("mine", 60, true), evaluated("list", 30, false)]);
  const file = join(temporaryFolder(), "report.html");
  writeFileSync(file, reportPage(data));
  /** As whoever reads results.json finds them. */
  const results = JSON.parse(JSON.stringify(data.results)) as typeof data.results; // just written
  let browser: Browser;
  let page: Page;
  const events: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage();
    page.on("console", (message) => events.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => events.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (!/^(file|data):/.test(request.url())) events.push(`request: ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
  });
  afterAll(() => browser.close());

  it("shows the figures of results.json, with all their digits behind them", async () => {
    const values = (selector: string) =>
      page.evaluate<number[]>(
        `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => Number(one.value))`,
      );
    const shown = METRIC_NAMES.filter((measure) => results.databases.some((one) => one[measure].value !== null));
    const rows = results.databases.map((database) => shown.map((measure) => database[measure]));
    const figures = (row: (typeof rows)[number]) =>
      row.flatMap((json) =>
        json.value === null ? [] : json.low === null ? [json.value] : [json.value, json.low, json.high],
      );
    expect(rows.flatMap(figures).length).toBeGreaterThan(20);
    for (const [i, row] of rows.entries()) {
      expect(await values(`#measures tbody tr:nth-child(${i + 1}) data`)).toEqual(figures(row));
    }
    const together = [results.mean.srcc, results.mean.plcc, results.mean.krcc, results.pooled.srcc];
    expect((await values("#measures tbody data")).slice(-12)).toEqual(figures(together));
    const { counts } = results.databases[0]?.confusion.distortion ?? { counts: [] };
    const matrix = await page.evaluate<number[]>(
      `[...document.querySelector("#database-1 .confusion").querySelectorAll("data")].map((one) => Number(one.value))`,
    );
    expect(matrix).toEqual(counts.flat());
  });

  it("loads nothing from anywhere and runs nothing, whatever files are called", async () => {
    expect(await page.locator("h1").count()).toBe(1);
    expect(await page.locator("img").count()).toBe(15); // of the eight worst and the eight best images, one is gone
    const pictures = await page.evaluate<number[]>("[...document.images].map((one) => one.naturalWidth)");
    expect(pictures.every((width) => width === 160)).toBe(true);
    const name = await page.locator(".beside > :last-child .card .file").first().textContent();
    expect(name).toBe(HOSTILE.replace("\u202e", "\\u202e"));
    expect(events).toEqual([]);
  });

  it("sorts a table by a click on a column's title, the other way by a second one", async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    const table = page.locator("#database-1 > details > .sortable table").first();
    const column = (i: number) => table.locator(`tbody tr > :nth-child(${i})`).allTextContents();
    const before = await column(1);
    const figures = () =>
      page.evaluate<number[]>(
        `[...document.querySelector("#database-1 > details > .sortable table").querySelectorAll("tbody tr > :nth-child(3) > data")]
          .map((one) => Number(one.value))`,
      );
    const unsorted = await figures();
    const title = table.locator("thead button").nth(2);
    await title.click();
    expect(await figures()).toEqual(unsorted.toSorted((a, b) => b - a));
    expect(await table.locator("thead th").nth(2).getAttribute("aria-sort")).toBe("descending");
    await title.focus();
    await page.keyboard.press("Enter");
    expect(await figures()).toEqual(unsorted.toSorted((a, b) => a - b));
    await table.locator("thead button").first().click();
    expect(await column(1)).toEqual(before.toSorted((a, b) => a.trim().localeCompare(b.trim())));
    expect(unsorted.length).toBeGreaterThan(2);
  });

  it("keeps the rows of all databases at the end, in whatever order", async () => {
    const rows = page.locator("#measures tbody th");
    const last = async () => (await rows.allTextContents()).slice(-2);
    const before = await last();
    await page.locator("#measures thead button").first().click();
    const ascending = await rows.allTextContents();
    await page.locator("#measures thead button").first().click();
    expect(await last()).toEqual(before);
    expect(await rows.allTextContents()).not.toEqual(ascending);
  });

  it("shows a dot's photograph while the pointer is on it, inside the chart", async () => {
    const shown = () =>
      page.evaluate<{ title: string; isInside: boolean }[]>(
        `[...document.querySelectorAll(".dot use")].filter((one) => getComputedStyle(one).display !== "none").map((one) => {
          const [box, chart] = [one, one.ownerSVGElement].map((element) => element.getBoundingClientRect());
          const isInside = box.left >= chart.left && box.right <= chart.right && box.top >= chart.top - 0.5 && box.bottom <= chart.bottom + 0.5;
          return { title: one.parentElement.querySelector("title").textContent, isInside };
        })`,
      );
    await page.mouse.move(0, 0);
    expect(await shown()).toEqual([]);
    const dots = page.locator("#database-1 .dot");
    expect(await dots.count()).toBe(20);
    for (const i of [0, 10, 19]) {
      await dots.nth(i).locator("circle").hover({ force: true });
      const title = expect.stringMatching(/: people -?[\d.]+, model [\d.]+$/) as string;
      expect(await shown()).toEqual([{ title, isInside: true }]);
    }
    await page.mouse.move(0, 0);
    expect(events).toEqual([]);
  });

  it.each(["light", "dark"] as const)("fits every width and can be read, %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    const papers = { light: "rgb(255, 255, 255)", dark: "rgb(20, 23, 27)" };
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(papers[colorScheme]);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    }
    const { texts, worst } = await page.evaluate<{ texts: number; worst: { ratio: number; text: string } }>(CONTRAST);
    expect(texts).toBeGreaterThan(300);
    expect(worst.ratio, worst.text).toBeGreaterThanOrEqual(LEAST_CONTRAST);
  });

  it("cuts no table at its right edge, at any width", async () => {
    await page.evaluate("for (const one of document.querySelectorAll('.images')) one.open = true");
    for (const width of [360, 640, 768, 1024, 1025, 1280, 1920]) {
      await page.setViewportSize({ width, height: 800 });
      const tables = await page.evaluate<{ wide: number; room: number; beyond: number }[]>(
        `[...document.querySelectorAll(".scroll")].map((one) => ({
          wide: one.scrollWidth,
          room: one.clientWidth,
          beyond: Math.max(0, ...[...one.querySelectorAll("td, tbody th, small, data")].map(
            (cell) => cell.getBoundingClientRect().right - one.getBoundingClientRect().right,
          )),
        }))`,
      );
      expect(tables.length).toBeGreaterThan(4);
      for (const { wide, room, beyond } of tables) {
        expect(wide, `at ${width}`).toBeLessThanOrEqual(room);
        expect(beyond, `at ${width}`).toBeLessThanOrEqual(0.5);
      }
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    }
  });

  it("says on a narrow screen, beside each value, what it measures", async () => {
    await page.setViewportSize({ width: 360, height: 800 });
    const titles = await page.evaluate<string[]>(
      `[...document.querySelectorAll("#measures tbody tr:first-child td")]
        .filter((one) => getComputedStyle(one).display !== "none")
        .map((one) => JSON.parse(getComputedStyle(one, "::before").content))`,
    );
    const heads = await page.locator("#measures thead th").allTextContents();
    expect(titles).toEqual(heads.slice(1).map((head) => head.trim()));
    expect(await page.locator("#measures").getByRole("cell").count()).toBeGreaterThan(titles.length);
  });

  it("is reached by keyboard from the top to its end, each stop seen", async () => {
    await page.reload(); // from its top
    await page.setViewportSize({ width: 768, height: 800 });
    const stops: { what: string; outline: string; isVisible: boolean }[] = [];
    for (;;) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate<(typeof stops)[number] | null>(FOCUSED);
      if (stop === null || stops.length > 60) break;
      stops.push(stop);
    }
    const whats = stops.map(({ what }) => what);
    expect(whats.slice(0, 5)).toEqual(["Skip to the content", "Measures", "mine, split 1", "list", "Training"]);
    const regions = await page.locator(".scroll:visible").count();
    expect(whats.filter((what) => what === "table")).toHaveLength(regions);
    expect(whats.slice(5)).toContain("mine, split 1"); // the heading that folds the section
    expect(stops.filter(({ outline, isVisible }) => outline === "none" || !isVisible)).toEqual([]);
  });

  it("folds its sections by keyboard and skips to the content", async () => {
    await page.locator("#database-1 > details > summary").focus();
    await page.keyboard.press("Enter");
    expect(await page.locator("#database-1 figure").first().isVisible()).toBe(false);
    await page.keyboard.press("Enter");
    expect(await page.locator("#database-1 figure").first().isVisible()).toBe(true);
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
  });

  it("shows the pairs of two models in the same way", async () => {
    const qualities: readonly [number, number][] = [[1, 2], [1.1, 4], [4, 3], [4.2, 1]]; // prettier-ignore
    const scored = qualities.map((pair, i) => ({ file: `/${i}/${HOSTILE}`, qualities: pair }));
    const defences = groupDifferentiation(scored, 3);
    const failed = [{ file: HOSTILE, error: `${HOSTILE}: cannot be read` }];
    const [picture] = data.pictures.values();
    const pictures = new Map(picture === undefined ? [] : scored.map(({ file }) => [file, picture]));
    const compared = join(temporaryFolder(), "compare.html");
    writeFileSync(compared, gmadPage({ models: [HOSTILE, "b"], images: 4, failed, defences, pictures }));
    await page.goto(pathToFileURL(compared).href);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    }
    expect(await page.locator("img").count()).toBe(6); // of three pairs: B's middle level holds one image
    expect(await page.locator("h3").allTextContents()).toHaveLength(6);
    expect((await page.locator("#defence-a figcaption").first().innerText()).replace(/\s+/g, " ")).toContain(
      "Better to B: A 1.100 B 4.000 /1/",
    );
    const { worst } = await page.evaluate<{ worst: { ratio: number; text: string } }>(CONTRAST);
    expect(worst.ratio, worst.text).toBeGreaterThanOrEqual(LEAST_CONTRAST);
    expect(events).toEqual([]);
  });
});
