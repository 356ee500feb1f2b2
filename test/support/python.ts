import { execFileSync } from "node:child_process";

/** Python of the tests that hold files against other programs: `LIQE_TEST_PYTHON`, else `python3`. */
export const PYTHON = process.env["LIQE_TEST_PYTHON"] ?? "python3";

/** Reason to skip a test, as a part of its name: empty where Python has all these modules. */
export function withoutPython(...modules: readonly string[]): string {
  try {
    const code = `import importlib.util as u; print([m for m in ${JSON.stringify(modules)} if u.find_spec(m) is None])`;
    const missing = execFileSync(PYTHON, ["-c", code], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    return missing === "[]" ? "" : ` (skipped: ${PYTHON} lacks ${missing}; LIQE_TEST_PYTHON names another)`;
  } catch {
    return ` (skipped: there is no ${PYTHON}; LIQE_TEST_PYTHON names one)`;
  }
}

/** JSON that a Python program prints last, run in `folder`. */
export function pythonJson(code: string, folder: string): unknown {
  const env = { ...process.env, HF_HUB_OFFLINE: "1", HF_HOME: folder, PYTHONDONTWRITEBYTECODE: "1" };
  const output = execFileSync(PYTHON, ["-c", code], {
    cwd: folder,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "");
}
