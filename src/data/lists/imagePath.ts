import path from "node:path";

/** What is wrong with an image's path in a list, and what to do; null where nothing is. */
export function pathProblem(image: string): string | null {
  const shown = JSON.stringify(image);
  if (image === "") return "the image's path is empty; give it relative to the database's folder";
  if (image.includes("\0")) return `the path ${shown} holds a NUL character; write the list again as plain text`;
  if (image.includes("\\")) return `the path ${shown} holds a backslash; write forward slashes`;
  if (/^[A-Za-z]:/.test(image))
    return `the path ${shown} begins with a drive; give it relative to the database's folder`;
  if (image.startsWith("/")) return `the path ${shown} is absolute; give it relative to the database's folder`;
  if (image.split("/").includes("..")) return `the path ${shown} leaves the database's folder; put the image inside it`;
  return null;
}

/** One spelling of a path, so that `a//b.png` and `./a/b.png` are seen to be the same. */
export function normalizePath(image: string): string {
  return /(^|\/)\.?(\/|$)/.test(image) ? path.posix.normalize(image) : image;
}
