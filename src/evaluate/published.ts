/** What a paper reports of a database. */
export interface PublishedFigures {
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

/** Undefined for a database that the paper does not have. */
export function publishedFigures(database: string): PublishedFigures | undefined {
  return Object.hasOwn(PUBLISHED, database) ? PUBLISHED[database] : undefined;
}
