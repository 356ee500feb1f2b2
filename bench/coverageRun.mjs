/** One repetition of coverage.mjs: two equal models on the splits of one simulated database. */
import { seededRandom } from "../dist/base/random.js";
import { fitMapping, refitMapping } from "../dist/evaluate/mapping/fitMapping.js";
import { pearson, weightedSrcc } from "../dist/evaluate/metrics/correlation.js";
import { weightedKrcc } from "../dist/evaluate/metrics/kendall.js";
import { ascendingOrder, rankPairs } from "../dist/evaluate/metrics/ranks.js";
import { PROTOCOLS } from "../dist/evaluate/protocols.js";
import { meanValue } from "../dist/evaluate/results/databaseResults.js";
import { bootstrap, percentileInterval, planResampling, unitsOfMean } from "../dist/evaluate/statistics/bootstrap.js";
import { pairedDifference } from "../dist/evaluate/statistics/compareRuns.js";

export const METRICS = ["srcc", "plcc", "krcc"];
/** Correlation of predictions and MOS in the population. */
const CORRELATION = 0.85;
/** Parts of a score's variance: of MOS that of the content, of errors what all models and what a content's images share. */
const CONTENT_OF_MOS = 0.5;
const ERROR = { content: 0.2, image: 0.3, model: 0.4, split: 0.1 };
/** Of normal scores, W. H. Kruskal, "Ordinal measures of association" (1958). */
const TRUE = {
  srcc: (6 / Math.PI) * Math.asin(CORRELATION / 2),
  plcc: CORRELATION,
  krcc: (2 / Math.PI) * Math.asin(CORRELATION),
};
const ALPHA = 0.05;

/** @returns for each metric: whether intervals of one model and of the difference hold the truth, whether p is below 5 % */
export function repetition(scenario, index) {
  const random = seededRandom(index, "coverage", scenario.name, scenario.seed);
  const lists = makeLists(scenario, random);
  const named = lists.map((list, split) => ({ name: scenario.apart ? `split ${split}` : "x", predictions: list }));
  const plans = planResampling(named, { seed: index, resamples: scenario.resamples });
  const units = unitsOfMean(plans);
  const measured = lists.map((list, i) => measureList(list, plans[i], PROTOCOLS[scenario.protocol]));
  return Object.fromEntries(
    METRICS.map((metric) => {
      const [a, b] = [0, 1].map((model) => meanValue(measured.map((models) => models[model][metric])));
      const interval = percentileInterval(a.result.value, a.resampled, units);
      const difference = pairedDifference(a, b, units);
      if (!interval.ok || difference.low === null) throw new Error(`${scenario.name} ${index}: no interval`);
      const outcome = {
        true: TRUE[metric],
        value: a.result.value,
        covered: interval.low <= TRUE[metric] && TRUE[metric] <= interval.high,
        differenceCovered: difference.low <= 0 && 0 <= difference.high,
        alarm: difference.p < ALPHA,
      };
      return [metric, outcome];
    }),
  );
}

/** Tested images of each split, with the predictions of two models. */
function makeLists({ units, images, share, splits }, random) {
  const deviation = Math.sqrt(1 / CORRELATION ** 2 - 1);
  const part = (of) => Math.sqrt(of) * random.normal();
  const contents = Array.from({ length: units }, (_, unit) => {
    const [mosOfContent, errorOfContent] = [part(CONTENT_OF_MOS), part(ERROR.content)];
    return Array.from({ length: images }, (_, i) => ({
      image: `${unit}-${i}`,
      content: String(unit),
      mos: mosOfContent + part(1 - CONTENT_OF_MOS),
      shared: errorOfContent + part(ERROR.image),
      own: [part(ERROR.model), part(ERROR.model)],
    }));
  });
  return Array.from({ length: splits }, () =>
    random
      .shuffle(contents)
      .slice(0, Math.round(share * units))
      .flat()
      .map(({ image, content, mos, shared, own }) => ({
        ...{ image, content, mos },
        qualities: own.map((error) => mos + deviation * (shared + error + part(ERROR.split))),
      })),
  );
}

/** Metrics of both models on one list, and of each of its resamples. */
function measureList(list, plan, protocol) {
  const mos = Float64Array.from(list, (one) => one.mos);
  const models = [0, 1].map((model) => {
    const quality = Float64Array.from(list, ({ qualities }) => qualities[model]);
    const ranked = rankPairs(quality, mos);
    return {
      quality,
      ranked,
      order: ascendingOrder(ranked.predicted),
      fit: fitted(fitMapping(protocol, quality, mos)),
    };
  });
  const measure = ({ quality, ranked, order, fit }, weights) => ({
    srcc: weightedSrcc(ranked, weights),
    plcc: pearson(fit.apply(quality), mos, weights),
    krcc: weightedKrcc(ranked, order, weights),
  });
  const resampled = bootstrap([plan], (weights) =>
    models.map((model) => measure({ ...model, fit: fitted(refitMapping(protocol, model.fit, weights)) }, weights)),
  );
  return models.map((model, m) => {
    const whole = measure(model);
    return Object.fromEntries(
      METRICS.map((name) => [name, { result: whole[name], resampled: resampled.map((one) => one[m][name]) }]),
    );
  });
}

function fitted(result) {
  if (!result.ok) throw new Error(result.reason);
  return result.mapping;
}
