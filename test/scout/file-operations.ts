import {
  appendFileSync,
  closeSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { constant, constantFrom, integer, oneof, record, type Arbitrary } from "fast-check";

/** One thing that somebody does to the files of a source. */
export type Operation =
  | { readonly kind: "write" | "append" | "replace" | "rewrite"; readonly path: string; readonly content: string }
  | { readonly kind: "rename" | "copy"; readonly path: string; readonly to: string }
  | { readonly kind: "remove" | "mkdir"; readonly path: string }
  | { readonly kind: "touch"; readonly path: string; readonly seconds: number };

/** Few, so that operations meet, folders become files, and contents come back. */
const paths = constantFrom("a", "ab", "b", "dir", "dir/a", "dir/b", "dir/sub/a", "other", "other/a", "new\nline");
const contents = constantFrom("A", "B", "C", "AB", "");

export const operation: Arbitrary<Operation> = oneof(
  { weight: 3, arbitrary: record({ kind: constantFrom("write", "append", "replace", "rewrite"), path: paths, content: contents }) },
  { weight: 2, arbitrary: record({ kind: constantFrom("rename", "rename", "copy"), path: paths, to: paths }) },
  { weight: 1, arbitrary: record({ kind: constantFrom("remove", "mkdir"), path: paths }) },
  { weight: 1, arbitrary: record({ kind: constant("touch"), path: paths, seconds: integer({ min: 0, max: 2_000_000_000 }) }) },
);

/** Does it where it can be done: a folder where a file is wanted, and the like, is nothing that happened. Returns the paths to look at. */
export function apply(root: string, given: Operation): readonly string[] {
  try {
    perform(root, given);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
  return "to" in given ? [given.path, given.to] : [given.path];
}

function perform(root: string, given: Operation): void {
  const target = join(root, given.path);
  if (given.kind === "write" || given.kind === "append" || given.kind === "replace") mkdirSync(dirname(target), { recursive: true });
  switch (given.kind) {
    case "write":
      return writeFileSync(target, given.content);
    case "append":
      return appendFileSync(target, given.content);
    case "replace":
      writeFileSync(`${root}.next`, given.content);
      return renameSync(`${root}.next`, target);
    case "rewrite":
      return rewrite(target, given.content);
    case "rename":
      mkdirSync(dirname(join(root, given.to)), { recursive: true });
      return renameSync(target, join(root, given.to));
    case "copy":
      mkdirSync(dirname(join(root, given.to)), { recursive: true });
      return copyFileSync(target, join(root, given.to));
    case "remove":
      return rmSync(target, { recursive: true, force: true });
    case "mkdir":
      return void mkdirSync(target, { recursive: true });
    case "touch":
      return utimesSync(target, given.seconds, given.seconds);
  }
}

/** In place, with as many bytes as before, and the mtime of before: only ctime tells. */
function rewrite(target: string, content: string): void {
  const { size, atime, mtime } = lstatSync(target);
  const file = openSync(target, "r+");
  writeSync(file, (content === "" ? "D" : content).repeat(size).slice(0, size));
  closeSync(file);
  utimesSync(target, atime, mtime);
}

export interface FileOnDisk {
  readonly content: string;
  readonly inode: bigint;
}

/** Every file below the root by its path. */
export function readTree(root: string): ReadonlyMap<string, FileOnDisk> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const place = join(entry.parentPath, entry.name);
      return [place.slice(root.length + 1), { content: readFileSync(place, "utf8"), inode: lstatSync(place, { bigint: true }).ino }];
    }),
  );
}
