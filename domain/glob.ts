import picomatch from "picomatch";

/**
 * Compiles a glob for paths below a source's root, with `/`. A pattern without a `/` is compared with the last part of the path, at any
 * depth; with one, with the whole path; a leading `/` keeps a pattern to the root itself; a trailing `/` means a folder with everything
 * in it. Letter case counts unless told otherwise.
 */
export function compileGlob(
  pattern: string,
  options: { readonly caseSensitive: boolean } = { caseSensitive: true },
): (relPath: string) => boolean {
  const anchored = pattern.replace(/^\.?\//, "").replace(/\/$/, "/**");
  // With the flag `s` a `**` also goes over the line ends that names may hold.
  const isMatch = picomatch(anchored, { dot: true, flags: options.caseSensitive ? "s" : "si" });
  const comparesName = !pattern.includes("/");
  return (relPath) => isMatch(comparesName ? relPath.slice(relPath.lastIndexOf("/") + 1) : relPath);
}
