import { describe, expect, it } from "vitest";
import { processesHere } from "../../../src/api/train/checkRun.js";
import { requireShareable } from "../../../src/api/train/cluster.js";
import { ConfigError } from "../../../src/base/errors.js";
import { RunConfig } from "../../../src/train/runConfig.js";

const MINE = { name: "mine", imagesPerStep: 4 };
const configOf = ({ databases = [MINE], data = {}, ...sections }: Readonly<Record<string, object>>) =>
  RunConfig.parse({
    run: "a",
    model: { preset: "vit-tiny", weights: "none" },
    data: { databases, ...data },
    ...sections,
  });

describe("processesHere", () => {
  it("counts those that share the memory of this one's host", () => {
    const addresses = ["10.0.0.1:8470", "10.0.0.2:8470", "10.0.0.2:8471", "[::1]:8470"];
    expect([0, 1, 2, 3].map((rank) => processesHere({ addresses, rank }))).toEqual([1, 2, 2, 1]);
    expect(processesHere(undefined)).toBe(1);
  });
});

describe("requireShareable", () => {
  it("lets a run pass whose steps have an image for each process", () => {
    expect(() => {
      requireShareable(configOf({}), 4);
    }).not.toThrow();
  });

  it.each([
    [
      { databases: [MINE, { name: "compared", pairs: "pairs.csv", imagesPerStep: 4 }] },
      "data.databases: compared: pairs are not trained on by several processes; train by one",
    ],
    [
      { databases: [{ name: "photos", photos: "photos", imagesPerStep: 4 }], train: { teacher: "large" } },
      "data.databases: photos: photos are not trained on by several processes; train by one",
    ],
    [{ train: { tune: "probe" } }, "train.tune: probe: is trained by one process"],
    [{ augment: { contents: 1 } }, "augment.contents: cannot be used with --cluster"],
    [{ data: { onUnreadable: "replace" } }, "data.onUnreadable: replace: cannot be used with --cluster"],
    [{ databases: [{ ...MINE, imagesPerStep: 3 }] }, "--cluster: 4 processes cannot share steps of 3 images"],
  ] as const)("refuses %j", (sections, message) => {
    const share = () => {
      requireShareable(configOf(sections), 4);
    };
    expect(share).toThrow(ConfigError);
    expect(share).toThrow(message);
  });
});
