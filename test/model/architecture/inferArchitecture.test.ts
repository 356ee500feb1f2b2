import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../../src/base/errors.js";
import { inferArchitecture } from "../../../src/model/architecture/inferArchitecture.js";
import { type PresetName, PRESETS } from "../../../src/model/architecture/presets.js";
import { parameterShapes } from "../../../src/model/parameters/shapes.js";

type Edit = (shapes: Map<string, readonly number[]>) => void;

/** Reads the architecture off a preset's shapes after a change. */
function inferEdited(edit: Edit, name: PresetName = "vit-b-32") {
  const shapes = new Map(parameterShapes(PRESETS[name]));
  edit(shapes);
  return () => inferArchitecture(shapes, "file.pt");
}

const renamed =
  (from: RegExp, to: string): Edit =>
  (shapes) => {
    for (const [name, shape] of [...shapes]) {
      if (!from.test(name)) continue;
      shapes.delete(name);
      shapes.set(name.replace(from, to), shape);
    }
  };

describe("inferArchitecture", () => {
  it.each(Object.keys(PRESETS) as PresetName[])("gives %s from the shapes of its parameters", (name) => {
    expect(inferArchitecture(parameterShapes(PRESETS[name]), "file.pt")).toEqual(PRESETS[name]);
  });

  it.each<readonly [string, RegExp, Edit]>([
    [
      "a ResNet that ends otherwise",
      /a ResNet vision tower without CLIP's attention pooling/,
      renamed(/^visual\.(conv1|transformer\.resblocks)/, "visual.layer1.0"),
    ],
    ["a SigLIP", /this is a SigLIP/, (shapes) => shapes.set("logit_bias", [])],
    ["a timm tower", /a vision tower of the timm library/, renamed(/^visual\./, "visual.trunk.")],
    [
      "a text tower alone",
      /a text tower alone/,
      (shapes) => {
        [...shapes.keys()]
          .filter((n) => n.startsWith("visual."))
          .forEach((n) => {
            shapes.delete(n);
          });
      },
    ],
    ["a vision tower alone", /a vision tower alone/, (shapes) => shapes.delete("token_embedding.weight")],
    ["another network", /no CLIP known here \(its \d+ tensors begin with net\./, renamed(/^/, "net.")],
    [
      "nothing",
      /a file without tensors/,
      (shapes) => {
        shapes.clear();
      },
    ],
  ])("names %s for what it is", (_, message, edit) => {
    expect(inferEdited(edit)).toThrow(CheckpointError);
    expect(inferEdited(edit)).toThrow(message);
  });

  it("lists what is missing and what is unknown, the first few and how many more", () => {
    const edit = renamed(/ln_1\.weight$/, "ln_one.weight");
    expect(inferEdited(edit)).toThrow(
      /^file\.pt: visual\.transformer\.resblocks\.0\.ln_1\.weight is missing, .*, and 43 more; is the file whole\?$/,
    );
  });

  it("names a parameter of another shape with both shapes", () => {
    const edit: Edit = (shapes) => shapes.set("visual.proj", [768, 512, 1]);
    expect(inferEdited(edit)).toThrow("visual.proj is [768, 512, 1], needed [768, 512]");
  });

  it("refuses a layer that is left out", () => {
    const edit = renamed(/^transformer\.resblocks\.3\./, "transformer.resblocks.12.");
    expect(inferEdited(edit)).toThrow("transformer.resblocks.3.ln_1.weight is missing");
  });

  it("refuses a layer with an absurd number at once", () => {
    const edit = renamed(/^transformer\.resblocks\.3\./, "transformer.resblocks.999999999999.");
    expect(inferEdited(edit)).toThrow(/^file\.pt: transformer\.resblocks\.3\.ln_1\.weight is missing, .* and 19 more/);
  });

  it("refuses a position embedding that is no square grid", () => {
    const edit: Edit = (shapes) => shapes.set("visual.positional_embedding", [49, 768]);
    expect(inferEdited(edit)).toThrow("has 48 positions beside the first; CLIP has a square number of them");
  });

  it("gives a tower narrower than 64 one head, and refuses one that 64 does not divide", () => {
    const narrow = { ...PRESETS["vit-tiny"], text: { ...PRESETS["vit-tiny"].text, width: 48, heads: 1 } };
    expect(inferArchitecture(parameterShapes(narrow), "file.pt").text.heads).toBe(1);
    const uneven = { ...narrow, text: { ...narrow.text, width: 130 } };
    expect(() => inferArchitecture(parameterShapes(uneven), "f")).toThrow(
      "its text tower of width 130 does not split into heads of 64",
    );
  });
});
