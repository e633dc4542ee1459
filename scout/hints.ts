/** More paths than these are looked up faster by a whole scan, and bound what a flood of events may cost. */
export const hintsMax = 1_000;

/**
 * Brings hints (from a watcher, or from a person) to the form of the record: relative to the root, with `/`, each once. Null, which is
 * the whole tree, when there are too many or one means the root itself. What leads out of the root is left out and told to `refuse`.
 */
export function tidyHints(paths: readonly string[], root: string, refuse: (path: string) => void): readonly string[] | null {
  const tidy = new Set<string>();
  for (const path of paths) {
    const relative = relativeTo(root, path);
    if (relative === null) refuse(path);
    else if (relative === "") return null;
    else tidy.add(relative);
    if (tidy.size > hintsMax) return null;
  }
  return [...tidy];
}

function relativeTo(root: string, path: string): string | null {
  const prefix = root.endsWith("/") ? root : `${root}/`;
  const below = path === root ? "" : path.startsWith(prefix) ? path.slice(prefix.length) : path;
  if (below.startsWith("/") || below.includes("\0")) return null;
  const parts = below.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") ? null : parts.join("/");
}
