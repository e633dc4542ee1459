/** Some files under one name. */
export interface FileGroup {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  /** When the file that was modified last was. */
  readonly newestAt: Date;
  /** The path of one of them, and its source. */
  readonly example: { readonly path: string; readonly sourceId: string };
  /** Whether all of them are of one source. */
  readonly oneSource: boolean;
}

/** Groups in a list, and what is not listed. */
export interface GroupList {
  readonly groups: readonly FileGroup[];
  readonly others: { readonly files: number; readonly bytes: number };
}

interface CountedFile {
  readonly path: string;
  readonly sourceId: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/** Names beyond these are counted together: a folder may hold as many endings as files, and memory stays flat. */
const namesMax = 10_000;

/** Counts files by name. */
export function createGroups() {
  const groups = new Map<string, { files: number; bytes: number; newestMs: number; example: FileGroup["example"]; oneSource: boolean }>();
  const unnamed = { files: 0, bytes: 0 };
  return {
    add(name: string, { path, sourceId, sizeBytes, modifiedAtMs }: CountedFile): void {
      const group = groups.get(name);
      if (group !== undefined) {
        group.files += 1;
        group.bytes += sizeBytes;
        if (modifiedAtMs > group.newestMs) group.newestMs = modifiedAtMs;
        if (sourceId !== group.example.sourceId) group.oneSource = false;
      } else if (groups.size < namesMax) {
        groups.set(name, { files: 1, bytes: sizeBytes, newestMs: modifiedAtMs, example: { path, sourceId }, oneSource: true });
      } else {
        unnamed.files += 1;
        unnamed.bytes += sizeBytes;
      }
    },
    /** The groups with the most files, so many at most, and the rest in one. */
    largest(limit: number): GroupList {
      const all = [...groups].toSorted(([, a], [, b]) => b.files - a.files || b.bytes - a.bytes);
      const rest = all.slice(limit).map(([, group]) => group);
      const others = {
        files: rest.reduce((sum, group) => sum + group.files, unnamed.files),
        bytes: rest.reduce((sum, group) => sum + group.bytes, unnamed.bytes),
      };
      return {
        groups: all.slice(0, limit).map(([name, { newestMs, ...group }]) => ({ name, ...group, newestAt: new Date(newestMs) })),
        others,
      };
    },
  };
}

/** `.csv` of `a/b.tar.csv`; nothing of names such as `README` and `.profile`. */
export function endingOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot <= 0 || dot === name.length - 1 ? "" : name.slice(dot);
}
