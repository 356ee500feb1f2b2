import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportPage } from "../../src/evaluate/report/reportPage.js";
import { evaluated, reportData } from "../evaluate/report/fixture.js";
import { CHROMIUM, launchChromium } from "../support/chromium.js";
import { temporaryFolder } from "../support/runs.js";

/** Width of A4 between the page's margins of 14 mm, in pixels of CSS. */
const PAPER = Math.floor(((210 - 2 * 14) / 25.4) * 96);

describe.skipIf(CHROMIUM === undefined)("report.html, filtered and printed", async () => {
  const databases = [evaluated("mine", 60, true), evaluated("list", 30, false), evaluated("more", 30, true)];
  const [mine] = databases;
  if (mine === undefined) throw new Error("test: no database");
  const file = join(temporaryFolder(), "report.html");
  writeFileSync(file, reportPage(await reportData(databases))); // three databases begin folded
  let browser: Browser;
  let page: Page;
  const events: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage();
    page.on("console", (message) => events.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => events.push(`error: ${error.message}`));
    await page.goto(pathToFileURL(file).href);
    await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
  });
  afterAll(() => browser.close());

  const section = () => page.locator("#database-1");
  const shown = (selector: string) => section().locator(`${selector}:not(.out)`).count();
  const counts = async () => ({
    dots: await shown(".points circle"),
    photographs: await shown(".dot"),
    rows: await shown(".images tr[data-of]"),
  });
  const measures = () =>
    page.evaluate<string>(`[...document.querySelectorAll("#measures data")].map((one) => one.value).join()`);

  it("shows the images of one distortion alone, of one scene too, and all again", async () => {
    const before = await measures();
    const all = await counts();
    expect(all).toEqual({ dots: 60, photographs: 20, rows: 20 });
    const [scene, distortion] = [section().locator("select").nth(0), section().locator("select").nth(1)];
    const fitting = (wanted: { scene?: string; distortion?: string }) =>
      mine.predictions.filter(
        ({ sceneLabels, distortionLabel }) =>
          (wanted.scene === undefined || sceneLabels.includes(wanted.scene)) &&
          (wanted.distortion === undefined || distortionLabel === wanted.distortion),
      ).length;
    const { distortionLabel = null, sceneLabels = [] } = mine.predictions[1] ?? {};
    const wanted = { scene: sceneLabels[0] ?? "", distortion: distortionLabel ?? "" };
    await distortion.selectOption({ label: `${wanted.distortion} (20)` });
    const byDistortion = await counts();
    expect(byDistortion.dots).toBe(fitting({ distortion: wanted.distortion }));
    expect([byDistortion.rows > 0, byDistortion.rows < 20, byDistortion.photographs]).toEqual([true, true, byDistortion.rows]); // prettier-ignore
    await scene.selectOption({ label: `${wanted.scene} (30)` });
    const both = fitting(wanted);
    expect((await counts()).dots).toBe(both);
    expect(both).toBeLessThan(byDistortion.dots);
    expect(await section().locator(".fit").textContent()).toContain(
      `Scene: ${wanted.scene}, Distortion: ${wanted.distortion}. ${both} of 60 images fit`,
    );
    expect(await section().locator(".fit").textContent()).toContain("measures and the tables by distortion and scene are of all 60"); // prettier-ignore
    expect([await measures(), await page.locator("#database-3 .points circle.out").count()]).toEqual([before, 0]);
    await section().getByRole("button", { name: "Show all" }).click();
    await page.waitForFunction("document.querySelectorAll('#database-1 .out').length === 0");
    expect([await counts(), await section().locator(".fit").textContent()]).toEqual([all, ""]);
  });

  it("says where no card or row is left, and shows none beside it", async () => {
    const cards = section().locator(".beside .card");
    const marks = await page.evaluate<string[]>(
      `[...document.querySelectorAll("#database-1 .beside > :first-child .card")].map((one) => one.dataset.of)`,
    );
    const options = await page.evaluate<string[][]>(
      `[...document.querySelectorAll("#database-1 select")].map((one) => [...one.options].map(({ value }) => value).filter(Boolean))`,
    );
    const combinations = (options[0] ?? []).flatMap((s) => (options[1] ?? []).map((d) => [s, d] as const));
    const missing = combinations.find(([s, d]) => !marks.some((mark) => mark.includes(s) && mark.includes(d)));
    if (missing === undefined) throw new Error("test: the four cards have all six pairs of labels");
    for (const [i, value] of missing.entries()) await section().locator("select").nth(i).selectOption(value);
    const none = section().locator(".beside > :first-child .none");
    expect([await none.isVisible(), await cards.nth(0).isVisible()]).toEqual([true, false]);
    await section().getByRole("button", { name: "Show all" }).click();
    await cards.nth(0).waitFor();
    expect(await none.isVisible()).toBe(false);
  });

  it("sorts the images' table by a column of words as by one of figures", async () => {
    const column = (i: number) => section().locator(`.images tbody tr > :nth-child(${i})`).allInnerTexts();
    const title = section().locator(".images thead button");
    await title.nth(1).click();
    const people = (await column(2)).map(Number);
    expect(people).toEqual(people.toSorted((a, b) => b - a));
    await title.last().click();
    const distortions = await column(await title.count());
    expect(distortions).toEqual(distortions.toSorted((a, b) => a.localeCompare(b)));
    expect(new Set(distortions).size).toBeGreaterThan(1);
  });

  it("prints without controls, unfolded, with no table or picture beyond the paper", async () => {
    await page.reload();
    await page.setViewportSize({ width: PAPER, height: 1000 });
    await page.emulateMedia({ media: "print" });
    expect(await section().locator("figure").first().isVisible()).toBe(false);
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    expect(await section().locator("figure").first().isVisible()).toBe(true);
    for (const control of ["nav", ".filters", ".skip"]) expect(await page.locator(control).first().isVisible()).toBe(false); // prettier-ignore
    await page.evaluate("for (const one of document.querySelectorAll('.images')) one.open = true");
    const beyond = await page.evaluate<{ text: string; right: number }[]>(
      `[...document.querySelectorAll("th, td, td *, img, figure")].filter((one) => one.checkVisibility())
        .map((one) => ({ text: one.textContent.trim(), right: one.getBoundingClientRect().right }))
        .filter(({ right }) => right > ${PAPER} + 0.5)`,
    );
    expect(beyond).toEqual([]);
    const style = (selector: string, property: string) =>
      page.evaluate<string>(`getComputedStyle(document.querySelector("${selector}")).${property}`);
    expect(await style("#measures thead", "display")).toBe("table-header-group"); // again on each page, which
    expect(await style("#measures thead button", "display")).toBe("contents"); // a button's box would prevent
    expect([await style("#measures tr", "breakInside"), await style(".card", "breakInside")]).toEqual(["avoid", "avoid"]); // prettier-ignore
    await page.emulateMedia({ media: null });
    await page.evaluate("dispatchEvent(new Event('afterprint'))");
    expect(await section().locator("figure").first().isVisible()).toBe(false);
    expect((await page.pdf({ format: "A4" })).subarray(0, 5).toString()).toBe("%PDF-");
  });

  it("has no controls where its script does not run", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const still = await context.newPage();
    await still.goto(pathToFileURL(file).href);
    await still.locator("#database-1 > details > summary").click();
    expect(await still.locator("#database-1 figure").first().isVisible()).toBe(true);
    expect(await still.locator(".filters").first().isVisible()).toBe(false);
    await context.close();
  });

  it("printed nothing on the console in all of this", () => {
    expect(events).toEqual([]);
  });
});
