import { lstatSync } from "node:fs";

/**
 * Where to look for hints, so that a partial scan sees what a full one would see there. A path below something that is no folder (gone,
 * a file, a link) stands for that thing, one in a folder that lets nobody in stands for the folder; paths that lie below another, or in an
 * excluded folder, fall away. `prefix` is the root with a `/` at its end.
 */
export function anchorHints(hints: readonly string[], prefix: string, entersFolder: (relPath: string) => boolean): readonly string[] {
  const known = new Map<string, Kind>();
  const anchors = new Set(hints.map(anchorOf).filter((anchor) => anchor !== null));
  return [...anchors].filter((anchor) => !foldersAbove(anchor).some((folder) => anchors.has(folder)));

  function anchorOf(hint: string): string | null {
    let above = "";
    for (const folder of foldersAbove(hint)) {
      if (!entersFolder(folder)) return null;
      const kind = kindOf(folder);
      if (kind === "closed" && above !== "") return above;
      if (kind !== "folder") return folder;
      above = folder;
    }
    return above !== "" && kindOf(hint) === "closed" ? above : hint;
  }

  function kindOf(path: string): Kind {
    const kind = known.get(path) ?? look(prefix + path);
    known.set(path, kind);
    return kind;
  }
}

/** `a/b/c.csv`: `a`, `a/b`. */
function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** `closed`: the folder above doesn't let us look. */
type Kind = "folder" | "other" | "closed";

function look(path: string): Kind {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? "folder" : "other";
  } catch {
    return "closed";
  }
}
