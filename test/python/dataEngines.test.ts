import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { PACKAGE_ROOT } from "../../src/base/packageInfo.js";
import { IS_BUILT, liqe } from "../cli/liqe.js";
import { PYTHON, pythonJson, withoutPython } from "../support/python.js";
import { temporaryFolder } from "../support/runs.js";

const ENGINES = join(PACKAGE_ROOT, "examples", "data-engines");
const PHOTOS = join(PACKAGE_ROOT, "examples", "photos");
const NEEDED = ["onnxruntime", "numpy", "PIL", "pandas", "pyarrow"];
const SKIP_SPARK = withoutPython(...NEEDED, "pyspark") || withoutJava();
const SKIP_RAY = withoutPython(...NEEDED, "ray");

/** Of exported weights, in quality (docs/scale.md). */
const TOLERANCE = 1e-3;

/** Row of the engines' Parquet files. */
interface Row {
  readonly path: string;
  readonly quality: number | null;
  readonly scene: string | null;
  readonly distortion: string | null;
  readonly error: string | null;
}

function withoutJava(): string {
  try {
    execFileSync("java", ["-version"], { stdio: "ignore" });
    return "";
  } catch {
    return " (skipped: there is no java; openjdk-17-jre-headless brings one)";
  }
}

const folder = temporaryFolder();
const photos = join(folder, "photos");
const model = join(folder, "export", "onnx", "model-image.onnx");

/** Objects of `liqe predict --json`, by the file's name. */
const expected = new Map<string, Omit<Row, "path">>();

beforeAll(async () => {
  if (!IS_BUILT || (SKIP_SPARK !== "" && SKIP_RAY !== "")) return;
  mkdirSync(join(photos, "more"), { recursive: true });
  for (const name of readdirSync(PHOTOS).filter((file) => file.endsWith(".jpg"))) {
    copyFileSync(join(PHOTOS, name), join(photos, name));
  }
  const photo = () => sharp(join(PHOTOS, "coffee.jpg")).resize(400, 300);
  await photo()
    .ensureAlpha(0.5)
    .png()
    .toFile(join(photos, "more", "clear.png"));
  await photo()
    .grayscale()
    .jpeg()
    .toFile(join(photos, "more", "gray.jpg"));
  await photo()
    .resize(100, 300)
    .png()
    .toFile(join(photos, "more", "small.png"));
  writeFileSync(join(photos, "broken.jpg"), "no picture");
  const box = ["--checkpoint", join(PACKAGE_ROOT, "models", "liqe-small")];
  expect(liqe(["export", ...box, "--format", "onnx", "--out", join(folder, "export")]).exitCode).toBe(0);
  const { output, exitCode } = liqe(["predict", photos, "--recursive", ...box, "--json"]);
  expect(exitCode).toBe(3); // two files have no score
  for (const line of output.trimEnd().split("\n")) {
    const one = JSON.parse(line) as Omit<Row, "path"> & { readonly image: string }; // our own output
    expected.set(basename(one.image), one);
  }
}, 240_000);

/** Rows of a folder of Parquet files, read by pyarrow. */
function rowsOf(out: string): Row[] {
  const code = `
import json, pyarrow.dataset as ds
print(json.dumps(ds.dataset(${JSON.stringify(out)}, format="parquet").to_table().to_pylist()))`;
  return pythonJson(code, folder) as Row[]; // by the scripts
}

/** Holds the rows that an engine wrote against `predict`. */
function expectPredictions(rows: readonly Row[]): void {
  expect(rows.map(({ path }) => basename(path)).sort()).toEqual([...expected.keys()].sort());
  const scored = rows.filter(({ error }) => error === null);
  for (const { path, quality, scene, distortion } of scored) {
    const own = expected.get(basename(path));
    expect(Math.abs((quality ?? NaN) - (own?.quality ?? NaN)), path).toBeLessThan(TOLERANCE);
    expect([scene, distortion], path).toEqual([own?.scene, own?.distortion]);
  }
  const failed = rows.filter(({ error }) => error !== null);
  expect(failed.map(({ path, quality }) => [basename(path), quality]).sort()).toEqual([["broken.jpg", null], ["small.png", null]]); // prettier-ignore
  expect(scored.length).toBe(10);
}

/** Environment in which engines write below `home` alone, and report to nobody. */
function environment(home: string): NodeJS.ProcessEnv {
  const ray = { RAY_TMPDIR: home, RAY_USAGE_STATS_ENABLED: "0" };
  const spark = { PYSPARK_PYTHON: PYTHON, PYSPARK_DRIVER_PYTHON: PYTHON, SPARK_LOCAL_DIRS: home, SPARK_LOCAL_IP: "127.0.0.1" }; // prettier-ignore
  return { ...process.env, ...ray, ...spark, HOME: home, PYTHONDONTWRITEBYTECODE: "1" };
}

describe.skipIf(!IS_BUILT)("the ONNX export in data engines", () => {
  it.skipIf(SKIP_SPARK !== "")(
    `has predict's scores and labels under Apache Spark, by spark-submit on two processors${SKIP_SPARK}`,
    () => {
      const find = "import json, os, pyspark; print(json.dumps(os.path.dirname(pyspark.__file__)))";
      const submit = join(pythonJson(find, folder) as string, "bin", "spark-submit");
      const out = join(folder, "spark.parquet");
      const args = ["--master", "local[2]", "--py-files", join(ENGINES, "liqe_onnx.py")];
      execFileSync(submit, [...args, join(ENGINES, "score_spark.py"), model, photos, out], {
        cwd: folder,
        env: environment(folder),
        stdio: "ignore",
      });
      expectPredictions(rowsOf(out));
    },
    300_000,
  );

  it.skipIf(SKIP_RAY !== "")(
    `has predict's scores and labels under Ray Data, and again over what is there${SKIP_RAY}`,
    () => {
      const home = mkdtempSync("/tmp/ray-"); // the paths of its sockets have at most 107 bytes
      onTestFinished(() => {
        rmSync(home, { recursive: true, force: true, maxRetries: 5 });
      });
      const out = join(folder, "ray.parquet");
      const run = (folderOfPhotos: string) =>
        execFileSync(PYTHON, [join(ENGINES, "score_ray.py"), model, folderOfPhotos, out], {
          cwd: folder,
          env: environment(home),
          stdio: "ignore",
        });
      run(join(photos, "more"));
      expect(rowsOf(out).length).toBe(3);
      run(photos);
      expectPredictions(rowsOf(out));
    },
    400_000,
  );
});
