import { basename, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { predict } from "../../src/api/predict.js";
import { serve, type Service } from "../../src/api/serve/serve.js";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { CHROMIUM, launchChromium } from "../support/chromium.js";
import { toyWeights } from "../support/runs.js";

const weights = await toyWeights();
const photo = join(PACKAGE_ROOT, "examples", "photos", "chelsea.jpg");
const TOKEN = "0123456789";

describe.skipIf(CHROMIUM === undefined)("the page of liqe serve", () => {
  let browser: Browser;
  let page: Page;
  let service: Service;
  const complaints: string[] = [];

  beforeAll(async () => {
    service = await serve(weights, { port: 0, token: TOKEN });
    browser = await launchChromium();
    page = await browser.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(service.address);
  });
  afterAll(async () => {
    await browser.close();
    await service.close();
  });

  it("asks for the token where the service has one, and then shows predict's score with its picture", async () => {
    await page.setInputFiles("#file", photo);
    await page.locator(".card.failed .reason").waitFor();
    expect(await page.locator(".card .reason").innerText()).toContain("needs the header Authorization");
    await page.locator("#token").fill(TOKEN);
    await page.setInputFiles("#file", photo);
    await page.locator(".card.scored .score").waitFor();
    for await (const one of predict(photo, { checkpoint: weights })) {
      const quality = "quality" in one ? one.quality.toFixed(2) : one.error;
      expect(await page.locator(".card.scored .score").innerText()).toBe(`${quality} of 5`);
    }
    expect(await page.locator(".card.scored canvas").count()).toBe(1);
    expect(await page.locator(".card.scored .bars dt").allInnerTexts()).toEqual([
      "perfect",
      "good",
      "fair",
      "poor",
      "bad",
    ]);
    expect(await page.locator("#engine").innerText()).toContain(basename(weights));
  });

  it("is lit while files are held over any part of it, and no longer", async () => {
    const over = () => page.evaluate<boolean>("document.querySelector('#drop').classList.contains('over')");
    const drag = (kind: string, to: string) =>
      page.evaluate(`document.dispatchEvent(new DragEvent("${kind}", { relatedTarget: ${to}, cancelable: true }))`);
    await drag("dragenter", "null");
    expect(await over()).toBe(true);
    await drag("dragleave", "document.querySelector('h1')"); // from one part to another
    expect(await over()).toBe(true);
    await drag("dragleave", "null");
    expect(await over()).toBe(false);
  });

  it("says of a file that is no picture what predict says, and loads nothing that its policy forbids", async () => {
    const before = await page.locator(".card").count();
    await page.setInputFiles("#file", { name: "text.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture") });
    const last = page.locator(".card").nth(before);
    await last.locator(".reason").waitFor();
    expect(await last.locator(".reason").innerText()).toMatch(
      /^text\.jpg: not an image: this is text that begins with/,
    );
    expect(complaints.filter((line) => !/status of (401|422)/.test(line))).toEqual([]); // Chromium notes refused requests
    const refused = await page.evaluate<string[]>(`new Promise((resolve) => {
      const found = [];
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
        found.push(effectiveDirective);
        if (found.length === 3) resolve(found.sort());
      });
      new Image().src = "http://127.0.0.1:9/picture.png";
      fetch("http://127.0.0.1:9/").catch(() => undefined);
      document.body.append(Object.assign(document.createElement("script"), { textContent: "globalThis.ran = true" }));
    })`);
    expect(refused).toEqual(["connect-src", "img-src", "script-src-elem"]);
    expect(await page.evaluate("globalThis.ran")).toBe(undefined);
  });
});
