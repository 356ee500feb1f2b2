/** The system's words for "no space left on the device", "over the quota" and "larger than a file may be". */
const NO_SPACE: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG"];

/** Whether a caught error of the file system says that there is no room for what was to be written. */
export function isNoSpace(error: unknown): error is Error {
  return error instanceof Error && "code" in error && NO_SPACE.includes(error.code);
}
