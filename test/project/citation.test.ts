import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";

const read = (file: string) => readFileSync(join(PACKAGE_ROOT, file), "utf8");

const text = z.string().min(1);
const Person = z.strictObject({ "family-names": text, "given-names": text });
const Entity = z.strictObject({ name: text });

/** The fields that the file has of the Citation File Format 1.2.0, and their types there; another one is a mistake. */
const Citation = z.strictObject({
  "cff-version": z.literal("1.2.0"),
  message: text,
  type: z.literal("software"),
  title: text,
  abstract: text,
  authors: z.array(z.union([Person, Entity])).min(1),
  version: text,
  license: text,
  keywords: z.array(text).min(1),
  "preferred-citation": z.strictObject({
    type: z.literal("conference-paper"),
    title: text,
    authors: z.array(Person).min(1),
    "collection-title": text,
    year: z.int(),
    start: text,
    end: text,
  }),
});

describe("CITATION.cff", () => {
  const citation = Citation.parse(parse(read("CITATION.cff")));

  it("has the name, version and license of the package", () => {
    const { name, version, license } = JSON.parse(read("package.json")) as Record<string, string>; // our own
    expect([citation.title, citation.version, citation.license]).toEqual([name, version, license]);
  });

  it("cites the paper that the README asks to cite", () => {
    const { authors, title, year, start, end, "collection-title": booktitle } = citation["preferred-citation"];
    const names = authors.map((author) => `${author["family-names"]}, ${author["given-names"]}`);
    const fields = { title, author: names.join(" and "), booktitle, pages: `${start}--${end}`, year: String(year) };
    const lines = [...read("README.md").matchAll(/^ +(\w+) += \{(.*)\}/gm)];
    const entry = Object.fromEntries(lines.map(([, key = "", value = ""]) => [key, value]));
    expect(entry).toEqual(fields);
  });
});
