import { z } from "zod";

/** Factor of a task's loss. */
function weight(task: string) {
  return z.number().nonnegative().default(1).describe(`factor of the ${task} loss; 0: the task is not trained`);
}

/** Groups of the quality losses by what they compare, which decides what they need; each with a sentence for the config's page. */
const COMPARED = {
  pairs: "over all pairs of images of one database, and pairs that people compared",
  levels: "of the level probabilities with soft levels from MOS and deviation",
  databases: "of a database's images together",
  images: "of the quality with the MOS on the levels' scale",
} as const;
type Compared = keyof typeof COMPARED;

/** Table of the quality losses, each with what it compares; `multitaskLoss.ts` has their functions. */
export const QUALITY_LOSSES = {
  fidelity: "pairs",
  kl: "levels",
  emd: "levels",
  plcc: "databases",
  "norm-in-norm": "databases",
  huber: "images",
  margin: "pairs",
  "bradley-terry": "pairs",
} as const satisfies Readonly<Record<string, Compared>>;
type QualityLossName = keyof typeof QUALITY_LOSSES;

export const QUALITY_LOSS_NAMES = Object.keys(QUALITY_LOSSES) as readonly QualityLossName[]; // its own keys

interface NamesLoss {
  readonly quality: QualityLossName;
}

/** True for a quality loss over pairs of images, which need no scores: an order is enough. */
export function isOfPairs({ quality }: NamesLoss): boolean {
  return QUALITY_LOSSES[quality] === "pairs";
}

/** True where a quality loss compares the levels' probabilities, and so needs the deviations of the MOS. */
export function isOfLevels({ quality }: NamesLoss): boolean {
  return QUALITY_LOSSES[quality] === "levels";
}

/** True where a quality loss compares a database's images together, and so needs several of them in a step. */
export function isOfDatabases({ quality }: NamesLoss): boolean {
  return QUALITY_LOSSES[quality] === "databases";
}

/** Sentence on the losses: `kl and emd: of the level probabilities ...`, group by group. */
function describeLosses(): string {
  const groups = Object.entries(COMPARED).map(([compared, what]) => {
    const names = QUALITY_LOSS_NAMES.filter((name) => QUALITY_LOSSES[name] === compared);
    return `${names.join(", ").replace(/, ([^,]*)$/, " and $1")}: ${what}`;
  });
  return groups.join("; ");
}

/** Values of settings that one loss alone has. */
const DEFAULTS = { margin: 0.5, huberDelta: 1 } as const;

/** Schema of the `losses` section: one loss a task, and the rule that weighs the tasks. */
export const LossesConfig = z
  .strictObject({
    quality: z.enum(QUALITY_LOSS_NAMES).default("fidelity").describe(describeLosses()),
    margin: z
      .number()
      .positive()
      .default(DEFAULTS.margin)
      .describe("margin: levels by which a pair's better image has to be ahead to lose nothing"),
    huberDelta: z
      .number()
      .positive()
      .default(DEFAULTS.huberDelta)
      .describe("huber: error in levels from which the loss rises linearly, no longer by the square"),
    target: z
      .enum(["sign", "thurstone"])
      .default("sign")
      .describe("target of a pair: which MOS is higher, or how probably; the latter needs the deviations of the MOS"),
    pairWeight: z
      .enum(["none", "deviation"])
      .default("none")
      .describe("weight of a pair in its database's mean: equal, or by the precision of its two MOS"),
    tieMargin: z
      .number()
      .nonnegative()
      .default(0)
      .describe("two MOS that differ by less are a tie; in units of tieUnit. 0, the published loss: only equal ones"),
    tieUnit: z
      .enum(["scale", "deviation"])
      .default("scale")
      .describe("unit of tieMargin: span of a database's training scores, or deviation of the pair's difference"),
    scene: z.enum(["cross-entropy", "fidelity"]).default("cross-entropy").describe("loss of the scene labels"),
    distortion: z
      .enum(["cross-entropy", "fidelity", "fidelity-released"])
      .default("cross-entropy")
      .describe(
        "loss of the distortion labels; fidelity-released divides by the number of classes, as the released code",
      ),
    weighting: z
      .enum(["dwa", "equal", "uncertainty", "gradnorm", "gradient-cosine", "single"])
      .default("dwa")
      .describe(
        "weights of the tasks. dwa: dynamic weight average after each epoch; equal: the factors below alone; uncertainty: learned " +
          "log-variances; gradnorm: gradients of equal length; gradient-cosine: auxiliary tasks by the cosine of their " +
          "gradient with quality's; single: one task",
      ),
    weightingRate: z
      .number()
      .positive()
      .max(1)
      .default(0.025)
      .describe("Adam's rate for the state of uncertainty and gradnorm; from section 5.1 of the GradNorm paper"),
    gradnormAlpha: z
      .number()
      .nonnegative()
      .default(1.5)
      .describe("strength of longer gradients for slow tasks; the GradNorm paper's for NYUv2, and LIQE's"),
    weights: z
      .strictObject({ quality: weight("quality"), scene: weight("scene"), distortion: weight("distortion") })
      .refine((weights) => Object.values(weights).some((value) => value > 0), {
        error: "must have one above 0, or there is nothing to learn",
      })
      .readonly()
      .prefault({})
      .describe("factors of the tasks' losses, multiplied with those of the weighting"),
  })
  .refine((c) => c.weighting !== "single" || Object.values(c.weights).filter((value) => value > 0).length === 1, {
    path: ["weights"],
    error: "must have exactly one above 0 with `weighting: single`: it names the task",
  })
  .refine((c) => c.weighting !== "gradient-cosine" || c.weights.quality > 0, {
    path: ["weights", "quality"],
    error: "must be above 0 with `weighting: gradient-cosine`: quality is the task that the others are measured by",
  })
  .superRefine((c, context) => {
    for (const [key, loss] of [
      ["margin", "margin"],
      ["huberDelta", "huber"],
    ] as const) {
      // prettier-ignore
      if (c.quality === loss || c[key] === DEFAULTS[key]) continue;
      const message = `is of \`quality: ${loss}\`, and quality is ${c.quality}; leave it out`;
      context.addIssue({ code: "custom", path: [key], message });
    }
    if (isOfPairs(c)) return;
    const given = { target: c.target !== "sign", pairWeight: c.pairWeight !== "none", tieMargin: c.tieMargin !== 0 };
    for (const [key, isGiven] of Object.entries(given)) {
      if (!isGiven) continue;
      const message = `is a rule for pairs of images, and \`quality: ${c.quality}\` has none; leave it out`;
      context.addIssue({ code: "custom", path: [key], message });
    }
  })
  .readonly();
export type LossesConfig = z.output<typeof LossesConfig>;
