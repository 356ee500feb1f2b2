/** The six databases of LIQE (CVPR 2023, table 2): how they are laid out, and what is known of them. */
import type { KnownDatabase } from "./knownDatabase.js";
import { OTHER_DATABASES } from "./otherDatabases.js";

const TELLS_NOTHING = () => null;

/** Folder (up to the file's name) → distortion type. */
function byFolder(types: Readonly<Record<string, string>>): (image: string) => string | null {
  return (image) => types[image.slice(0, image.lastIndexOf("/"))] ?? null;
}

/** The 25 distortions of KADID-10k, in the order of the numbers in its file names (`I<content>_<number>_<level>.png`). */
const KADID_TYPES = [
  "gaussian blur",
  "lens",
  "motion",
  "diffusion",
  "shifting",
  "color quantization",
  "oversaturation",
  "desaturation",
  "jpeg2000 compression",
  "jpeg compression",
  "white noise",
  "white with color",
  "impulse",
  "multiplicative",
  "white noise with denoise",
  "brighten",
  "darken",
  "shifting the mean",
  "jitter",
  "noneccentricity patch",
  "pixelate",
  "quantization",
  "color blocking",
  "sharpness",
  "contrast",
] as const;

function kadidType(image: string): string | null {
  const [, number] = /_(\d\d)_\d\d\.png$/.exec(image) ?? [];
  return KADID_TYPES[Number(number) - 1] ?? null;
}

export const KNOWN_DATABASES = {
  live: {
    title: "LIVE, release 2",
    folder: "databaserelease2",
    images: 779,
    mosRange: [0, 120], // realigned differential scores, turned: the lists reach 114.4
    address: "https://live.ece.utexas.edu/research/quality/subjective.htm",
    typeOfPath: byFolder({
      jp2k: "jpeg2000 compression",
      jpeg: "jpeg compression",
      wn: "white noise",
      gblur: "gaussian blur",
      fastfading: "fastfading",
    }),
  },
  csiq: {
    title: "CSIQ",
    folder: "CSIQ",
    images: 866,
    mosRange: [0, 1],
    address: "https://s2.smu.edu/~eclarson/csiq.html",
    typeOfPath: byFolder({
      "dst_imgs/awgn": "white noise",
      "dst_imgs/jpeg": "jpeg compression",
      "dst_imgs/jpeg2000": "jpeg2000 compression",
      "dst_imgs/fnoise": "fnoise",
      "dst_imgs/blur": "gaussian blur",
      "dst_imgs/contrast": "contrast",
    }),
  },
  bid: {
    title: "BID",
    folder: "BID",
    images: 586,
    mosRange: [0, 5],
    address: "http://www.lps.ufrj.br/profs/eduardo/ImageDatabase.htm",
    typeOfPath: TELLS_NOTHING,
  },
  clive: {
    title: "LIVE In the Wild Challenge (CLIVE)",
    folder: "ChallengeDB_release",
    images: 1162,
    mosRange: [0, 100],
    address: "https://live.ece.utexas.edu/research/ChallengeDB/index.html",
    typeOfPath: TELLS_NOTHING,
  },
  koniq10k: {
    title: "KonIQ-10k (1024 x 768)",
    folder: "koniq-10k",
    images: 10073,
    mosRange: [1, 5],
    address: "http://database.mmsp-kn.de/koniq-10k-database.html",
    typeOfPath: TELLS_NOTHING,
  },
  kadid10k: {
    title: "KADID-10k",
    folder: "kadid10k",
    images: 10125,
    mosRange: [1, 5],
    address: "http://database.mmsp-kn.de/kadid-10k-database.html",
    typeOfPath: kadidType,
  },
} as const satisfies Readonly<Record<string, KnownDatabase>>;

const ALL = new Map<string, KnownDatabase>(Object.entries({ ...KNOWN_DATABASES, ...OTHER_DATABASES }));

/** The names of all databases that something is known of, LIQE's six first. */
export const KNOWN_NAMES: readonly string[] = [...ALL.keys()];

/** What is known of a database; undefined for a user's own. */
export function knownDatabase(name: string): KnownDatabase | undefined {
  return ALL.get(name);
}
