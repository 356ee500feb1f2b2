import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONTENT_SECURITY_POLICY } from "../../examples/browser/policy.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { loadImage } from "../../src/data/images/loadImage.js";
import type { LiqeScore } from "../../src/inference/index.js";
import { LiqeModel } from "../../src/model/liqe.js";
import { posteriorOf, type Posterior } from "../../src/model/posterior.js";
import { evaluationCrops } from "../../src/model/preprocess/crops.js";
import { ModelScorer } from "../../src/model/scorer.js";
import { CONTRAST } from "../evaluate/report/inPage.js";
import { CHROMIUM } from "../support/chromium.js";
import { livelySource, TOY_STEM, toyTfjs } from "../support/exports.js";
import { temporaryFolder } from "../support/runs.js";
import { startTestEngine } from "../support/testEngine.js";
import { type PageServer, servePage } from "./pageServer.js";

/** What the page may differ by from this engine: other decoders, other arithmetic. */
const PAGE = { rtol: 0, atol: 1e-2 };

/** WCAG 2.2, AA, for text of any size. */
const LEAST_CONTRAST = 4.5;

const EXAMPLE = join(PACKAGE_ROOT, "examples", "browser");
const PHOTO = join(PACKAGE_ROOT, "examples", "photos", "hubble.jpg");
const LABEL = "#drop";

/** WebGL and WebGPU computed by the processor: a container has no graphics card. */
const SOFTWARE_GPU = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--enable-unsafe-webgpu"];

await startTestEngine(); // what follows computes while this file is being read

describe.skipIf(CHROMIUM === undefined)("examples/browser in Chromium", () => {
  const toy = livelySource(TOY_STEM);
  const folder = temporaryFolder();
  /** Larger than 768 on both sides. */
  const large = join(folder, "large.png");
  const small = join(folder, "small.png");
  let server: PageServer;
  let browser: Browser;
  /** What may not happen: foreign requests, and anything that is printed or thrown. */
  const events: string[] = [];

  beforeAll(async () => {
    const page = join(folder, "page");
    const quiet = { logLevel: "silent", mode: "production" } as const;
    await build({ configFile: join(EXAMPLE, "vite.config.ts"), build: { outDir: page, minify: false }, ...quiet });
    const picture = sharp(join(PACKAGE_ROOT, "examples", "photos", "astronaut.jpg"));
    await picture.clone().resize(1000, 900, { fit: "fill" }).png({ compressionLevel: 1 }).toFile(large);
    await picture.clone().resize(200, 300, { fit: "fill" }).png({ compressionLevel: 1 }).toFile(small);
    server = await servePage(page, await toyTfjs("f32", toy), CONTENT_SECURITY_POLICY);
    browser = await chromium.launch({ executablePath: CHROMIUM ?? "", args: ["--no-sandbox", ...SOFTWARE_GPU] });
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  /** The page, with its model loaded. */
  async function open(path: string, width = 1280): Promise<Page> {
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    page.on("console", (message) => events.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => events.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(`${server.address}/`)) events.push(`request: ${request.url()}`);
    });
    await page.goto(server.address + path);
    return page;
  }

  /** What the page says after a picture was chosen. */
  async function scored(page: Page, file: string): Promise<LiqeScore> {
    await page.setInputFiles("#file", file);
    await page.waitForSelector("#result:not([hidden])");
    return JSON.parse((await page.textContent("#json")) ?? "") as LiqeScore; // as the page wrote it
  }

  it.each([
    ["webgpu", "WebGPU", () => [PHOTO]],
    ["webgl", "WebGL", () => [PHOTO]], // one is enough of either without a graphics card
    ["wasm", "WebAssembly", () => [PHOTO, large]],
  ] as const)("scores photographs as the native engine does, within 1e-2, with %s", async (backend, name, files) => {
    const page = await open(`/?backend=${backend}`);
    for (const file of files()) {
      const score = await scored(page, file);
      const { whole, crops } = await native(file);
      expect([score.quality]).toBeAllClose([whole.quality], PAGE);
      expect(Object.values(score.probabilities.quality ?? {})).toBeAllClose(whole.probabilities.quality, PAGE);
      expect(Object.values(score.probabilities.scene ?? {})).toBeAllClose(whole.probabilities.scene, PAGE);
      expect(Object.values(score.probabilities.distortion ?? {})).toBeAllClose(whole.probabilities.distortion, PAGE);
      expect(score.crops.map(({ quality }) => quality)).toBeAllClose(crops, PAGE);
      expect(await page.textContent("#quality")).toBe(score.quality.toFixed(2));
      // else a page that says the same of everything would pass
      expect(Math.max(...crops) - Math.min(...crops)).toBeGreaterThan(20 * PAGE.atol);
    }
    expect(await page.textContent("#engine")).toBe(`Computing with ${name}; weights in f32.`);
    await page.close();
  });

  it("takes WebGPU from a graphics card alone, not from the processor, and says what it takes instead", async () => {
    const page = await open("/");
    await page.waitForSelector("#engine:has-text('Computing with WebGL;')");
    await page.close();
  });

  /** What this engine says of a file. */
  async function native(file: string): Promise<{ whole: Posterior; crops: number[] }> {
    const model = new LiqeModel(toy.source.weights, toy.source.grid);
    const scorer = new ModelScorer(model);
    const logits = scorer.logits(evaluationCrops(await loadImage(file), 15));
    model.dispose();
    const prompts = logits.length / 15;
    const perCrop = Array.from({ length: 15 }, (_, i) => logits.subarray(i * prompts, (i + 1) * prompts));
    const mean = Array.from(
      { length: prompts },
      (_, i) => perCrop.reduce((sum, crop) => sum + (crop[i] ?? NaN), 0) / 15,
    );
    return {
      whole: posteriorOf(mean, scorer.axes),
      crops: perCrop.map((crop) => posteriorOf(crop, scorer.axes).quality),
    };
  }

  it("takes a picture that is dropped or pasted as it takes one that is chosen", async () => {
    const page = await open("/?backend=wasm");
    const chosen = (await scored(page, PHOTO)).quality;
    const bytes = readFileSync(PHOTO).toString("base64");
    for (const kind of ["drop", "paste"]) {
      await scored(page, large);
      await page.evaluate(`{
        const bytes = Uint8Array.from(atob("${bytes}"), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
        const event = "${kind}" === "drop"
          ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
        document.querySelector("${LABEL}").dispatchEvent(event);
      }`);
      await page.waitForSelector(`#quality:visible:text-is("${chosen.toFixed(2)}")`);
    }
    await page.close();
  });

  it("can be used with the keyboard, and fits a phone", async () => {
    const page = await open("/?backend=wasm", 360);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).toBe("file");
    expect(await page.evaluate("getComputedStyle(document.querySelector('#drop')).outlineStyle")).toBe("solid");
    await scored(page, PHOTO);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).toBe("show-map");
    expect(await page.isVisible("#map")).toBe(true);
    await page.keyboard.press("Space");
    expect(await page.isVisible("#map")).toBe(false);
    await page.close();
  });

  it("says what is wrong with a picture, and goes on with the next", async () => {
    const page = await open("/?backend=wasm");
    await page.setInputFiles("#file", join(EXAMPLE, "README.md"));
    await page.waitForSelector("#error:has-text('no picture that your browser can read')");
    await page.setInputFiles("#file", small);
    await page.waitForSelector("#error:has-text('200 x 300 pixels are less than 224 on a side')");
    await scored(page, PHOTO);
    expect(await page.isVisible("#error")).toBe(false);
    await page.close();
  });

  /** Names of the gallery's cards, in their order. */
  const names = (page: Page) => page.locator(".card .file").allTextContents();

  it("scores several pictures at once into a gallery, names one that it cannot read, and goes on", async () => {
    const page = await open("/?backend=wasm");
    const unreadable = join(EXAMPLE, "README.md");
    await page.setInputFiles("#file", [PHOTO, unreadable, large]);
    await page.waitForSelector("#status:has-text('2 of 3 pictures scored in')");
    expect(await page.locator("#error li").allTextContents()).toEqual([
      "README.md: This file is no picture that your browser can read. Choose a JPEG, PNG or WebP file.",
    ]);
    expect([await names(page), await page.isVisible("#result")]).toEqual([
      ["hubble.jpg", "large.png", "README.md"], // what has no score comes last
      false,
    ]);
    expect(await page.locator(".card.failed").allInnerTexts()).toEqual([expect.stringContaining("no picture")]);
    const [hubble = NaN, other = NaN] = await Promise.all([PHOTO, large].map(async (file) => (await native(file)).whole.quality)); // prettier-ignore
    const figures = (await page.locator(".card .score b").allTextContents()).map(Number);
    expect(figures).toBeAllClose([hubble, other], { rtol: 0, atol: PAGE.atol + 0.005 }); // of two digits
    await page.selectOption("#order", hubble > other ? "worst" : "best");
    expect(await names(page)).toEqual(["large.png", "hubble.jpg", "README.md"]);
    await page.selectOption("#order", hubble > other ? "best" : "worst");
    expect(await names(page)).toEqual(["hubble.jpg", "large.png", "README.md"]);
    await page.setInputFiles("#file", small);
    await page.waitForSelector("#error:has-text('small.png: score: image: 200 x 300 pixels are less than 224')");
    await page.selectOption("#order", "name");
    expect(await names(page)).toEqual(["hubble.jpg", "large.png", "README.md", "small.png"]);
    await page.close();
  });

  it("shows each card's words and bars, and a card's picture large when it is chosen", async () => {
    const page = await open("/?backend=wasm", 360);
    await page.setInputFiles("#file", [PHOTO, large]);
    await page.waitForSelector("#status:has-text('2 pictures scored in')");
    await page.locator(".card .thumbnail").nth(1).focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#result:not([hidden])");
    const score = JSON.parse((await page.textContent("#json")) ?? "") as LiqeScore; // as the page wrote it
    const card = page.locator(".card").nth(1);
    expect(await page.textContent("#name")).toBe("large.png");
    expect(await card.locator(".score").textContent()).toBe(`${score.quality.toFixed(2)} of 5`);
    const [scene, distortion] = [score.scene, score.distortion].map((label) => (label ?? "").replaceAll("_", " "));
    expect(await card.locator(".words").textContent()).toBe(`${scene ?? ""} with ${distortion ?? ""} artifacts`);
    expect(await card.locator(".bars dt").allTextContents()).toEqual(
      Object.keys(score.probabilities.quality ?? {}).reverse(),
    );
    const shares = Object.values(score.probabilities.quality ?? {}).reverse().map((share) => `${(100 * share).toFixed(0)} %`); // prettier-ignore
    expect(await card.locator(".figure").allTextContents()).toEqual(shares);
    await page.getByRole("button", { name: "Remove all" }).click();
    expect([await page.locator(".card").count(), await page.isVisible("#result")]).toEqual([0, false]);
    await scored(page, PHOTO);
    await page.close();
  });

  it.each(["light", "dark"] as const)(
    "fits a phone and a large screen with a gallery and can be read, %s",
    async (colorScheme) => {
      const page = await open("/?backend=wasm");
      await page.emulateMedia({ colorScheme });
      await page.setInputFiles("#file", [PHOTO, join(EXAMPLE, "README.md"), large]);
      await page.waitForSelector("#status:has-text('2 of 3')");
      await page.locator(".card .thumbnail").first().click();
      await page.waitForSelector("#result:not([hidden])");
      for (const width of [320, 360, 768, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      }
      const { texts, worst } = await page.evaluate<{ texts: number; worst: { ratio: number; text: string } }>(CONTRAST);
      expect(texts).toBeGreaterThan(50);
      expect(worst.ratio, worst.text).toBeGreaterThanOrEqual(LEAST_CONTRAST);
      await page.close();
    },
  );

  it("says how far it is with loading and with scoring", async () => {
    const page = await open("/?backend=wasm");
    await page.evaluate(`{
      globalThis.seen = [];
      const note = () => {
        const bar = document.querySelector("#progress");
        if (!bar.hidden) seen.push(bar.getAttribute("aria-label") + " " + bar.value + " " + document.querySelector("#status").textContent);
      };
      new MutationObserver(note).observe(document.querySelector("#status"), { childList: true });
    }`);
    await page.setInputFiles("#file", [PHOTO, large]);
    await page.waitForSelector("#status:has-text('2 pictures scored in')");
    const seen = await page.evaluate<string[]>("seen");
    expect(seen).toEqual(expect.arrayContaining(["Scoring 0 Scoring 1 of 2: hubble.jpg", "Scoring 0.5 Scoring 2 of 2: large.png"])); // prettier-ignore
    expect(await page.isVisible("#progress")).toBe(false);
    await page.close();
  });

  it("asked nothing of any other server in all of this, and printed nothing", () => {
    expect(events).toEqual([]);
  });

  it("shows each bar beside its figure, however long it is", async () => {
    const page = await open("/?backend=wasm");
    await scored(page, PHOTO);
    for (const width of [360, 768, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      const bars = await page.evaluate<{ bar: number; end: number; figure: number; edge: number }[]>(
        `[...document.querySelectorAll(".bars dd")].map((one) => {
          const [bar, figure] = [one.querySelector(".bar"), one.querySelector(".figure")];
          bar.style.setProperty("--share", 0.72);
          const text = document.createRange();
          text.selectNodeContents(figure);
          const [a, b] = [bar.getBoundingClientRect(), text.getBoundingClientRect()];
          return { bar: a.width, end: a.right, figure: b.left, edge: one.getBoundingClientRect().right - b.right };
        })`,
      );
      expect(bars.length).toBeGreaterThan(8);
      for (const { bar, end, figure, edge } of bars) {
        expect(bar).toBeGreaterThan(30);
        expect(end).toBeLessThan(figure);
        expect(edge).toBeGreaterThanOrEqual(-0.5);
      }
    }
    await page.close();
  });

  it.each([
    ["has no model", "/empty/"],
    ["answers with a page where the model should be", "/fallback/"],
  ])("says at once, before its worker works, where a server %s, and again for a picture", async (_, path) => {
    const page = await browser.newPage();
    await page.route(/worker|\.wasm/, () => {}); // never answered: the worker does not start
    await page.goto(`${server.address}${path}`);
    await page.waitForSelector(`#error:has-text("There is no model at ${server.address}${path}model/tfjs/")`);
    expect(await page.textContent("#error")).toContain("npx liqe export --checkpoint");
    expect([await page.textContent("#status"), await page.isVisible("#progress")]).toEqual(["", false]);
    await page.setInputFiles("#file", PHOTO);
    expect(await page.isVisible("#error")).toBe(true);
    expect(await page.textContent("#status")).toBe("");
    await page.close();
  });
});
