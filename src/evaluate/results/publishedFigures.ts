/** Figures that a paper reports of a database. */
interface PublishedFigures {
  readonly srcc: number;
  readonly plcc: number;
}

/** LIQE (CVPR 2023, table 2): joint training on the six databases, means over ten splits. */
const PUBLISHED: Readonly<Record<string, PublishedFigures>> = {
  live: { srcc: 0.97, plcc: 0.951 },
  csiq: { srcc: 0.936, plcc: 0.939 },
  kadid10k: { srcc: 0.93, plcc: 0.931 },
  bid: { srcc: 0.875, plcc: 0.9 },
  clive: { srcc: 0.904, plcc: 0.91 },
  koniq10k: { srcc: 0.919, plcc: 0.908 },
};

/** Published figures of a database; undefined where the paper has none. */
export function publishedFigures(database: string): PublishedFigures | undefined {
  return Object.hasOwn(PUBLISHED, database) ? PUBLISHED[database] : undefined;
}

/** LIQE's cross-database SRCC: trained on KADID-10k alone, tested on all images of the others. */
const PUBLISHED_FROM_KADID: Readonly<Record<string, number>> = { bid: 0.677, clive: 0.719, koniq10k: 0.684 };

/** Published SRCC of a model trained on some databases and tested on another; undefined where there is none. */
export function publishedAcross(trainedOn: readonly string[], testedOn: string): number | undefined {
  const isKadidAlone = trainedOn.length === 1 && trainedOn[0] === "kadid10k";
  return isKadidAlone && Object.hasOwn(PUBLISHED_FROM_KADID, testedOn) ? PUBLISHED_FROM_KADID[testedOn] : undefined;
}
