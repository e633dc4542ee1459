import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { describeLimit, outsideLimits, selection, whyLeftOut, type SelectionGlobs } from "../../domain/selection.ts";

/** Whether a scan comes to the file: through each folder above it. */
function takes(relPath: string, globs: Partial<SelectionGlobs>): boolean {
  const { takesFile, entersFolder } = selection({ include: [], exclude: [], ...globs });
  const parts = relPath.split("/");
  return takesFile(relPath) && parts.slice(1).every((_, index) => entersFolder(parts.slice(0, index + 1).join("/")));
}

const why = (relPath: string, globs: Partial<SelectionGlobs>) => whyLeftOut(relPath, { include: [], exclude: [], ...globs });

describe("include and exclude", () => {
  it.each<[string, Partial<SelectionGlobs>, boolean]>([
    // Nothing is said: everything is taken, hidden files as well.
    ["a.csv", {}, true],
    [".hidden", {}, true],
    [".folder/a.csv", {}, true],
    // Include alone: what matches any of them, by name at any depth, or by path.
    ["deep/a.csv", { include: ["*.csv"] }, true],
    ["deep/a.txt", { include: ["*.csv"] }, false],
    ["deep/a.txt", { include: ["*.csv", "*.txt"] }, true],
    ["in/a.csv", { include: ["in/*.csv"] }, true],
    ["in/deep/a.csv", { include: ["in/*.csv"] }, false],
    ["in/deep/a.csv", { include: ["in/"] }, true],
    ["deep/a.csv", { include: ["/a.csv"] }, false],
    ["a.csv", { include: ["/a.csv"] }, true],
    // Exclude beats include, however exact the include is.
    ["a.csv", { include: ["a.csv"], exclude: ["*"] }, false],
    ["in/a.csv", { include: ["in/a.csv"], exclude: ["*.csv"] }, false],
    ["in/a.csv", { include: ["*.csv"], exclude: ["b.csv"] }, true],
    // An excluded folder is not entered, so nothing in it can be included again.
    ["private/a.csv", { include: ["private/a.csv"], exclude: ["private/"] }, false],
    ["private/deep/a.csv", { include: ["**/a.csv"], exclude: ["private"] }, false],
    ["public/private/a.csv", { exclude: ["private/"] }, true],
    ["public/private/a.csv", { exclude: ["private"] }, false],
    ["public/private/a.csv", { exclude: ["**/private/"] }, false],
    ["a.d/b.csv", { exclude: ["*.d"] }, false],
    // Exclude alone leaves the rest.
    ["a.csv", { exclude: ["*.tmp"] }, true],
    ["a.csv.tmp", { exclude: ["*.tmp"] }, false],
    // Include says nothing of folders: they are looked into for what it names.
    ["x/y/z/a.csv", { include: ["x/**/a.csv"] }, true],
    // Letter case counts.
    ["a.CSV", { include: ["*.csv"] }, false],
    ["a.TMP", { exclude: ["*.tmp"] }, true],
    // What is ours is never input, as a folder; a file may have such a name.
    [".casparian/secrets.json", { include: ["**"] }, false],
    ["out/_casparian_staging/a.parquet", {}, false],
    ["notes/.casparian", {}, true],
  ])("%j with %j: %j", (relPath, globs, taken) => {
    expect(takes(relPath, globs)).toBe(taken);
    expect(why(relPath, globs) === null).toBe(taken);
  });

  it("are explained by the glob that decides", () => {
    expect(why("a.csv", { include: ["*.csv"], exclude: ["a.*"] })).toBe("the source excludes a.*");
    expect(why("tmp/deep/a.csv", { exclude: ["*.csv", "tmp/"] })).toBe("the source excludes tmp/, and so its folder tmp");
    expect(why("a.txt", { include: ["*.csv", "*.tsv"] })).toBe("the source includes only *.csv, *.tsv");
    expect(why("out/.casparian/a", {})).toBe("it is in out/.casparian, a folder of our own, which is never input");
  });

  it("are explained exactly where they leave a path out", () => {
    const glob = constantFrom("*", "a", "a/", "/a", "b", "*.c", "a/*", "**/b/", "a/**/x.c", ".casparian");
    const path = array(constantFrom("a", "b", "x.c", ".casparian"), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    assert(
      property(path, array(glob, { maxLength: 3 }), array(glob, { maxLength: 3 }), (relPath, include, exclude) => {
        expect(why(relPath, { include, exclude }) === null).toBe(takes(relPath, { include, exclude }));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("limits", () => {
  const limits = { sizeBytesMin: 10, sizeBytesMax: 20, ageMsMax: 1_000 };
  const at = (sizeBytes: number, modifiedAtMs: number) => outsideLimits({ sizeBytes, modifiedAtMs }, limits, 5_000);

  it("hold at their bounds, and the first one is told", () => {
    expect([at(9, 5_000), at(10, 5_000), at(20, 5_000), at(21, 5_000)]).toEqual(["TOO_SMALL", null, null, "TOO_LARGE"]);
    expect([at(15, 4_000), at(15, 3_999), at(15, 9_000), at(9, 0)]).toEqual([null, "TOO_OLD", null, "TOO_SMALL"]);
    const none = { sizeBytesMin: 0, sizeBytesMax: null, ageMsMax: null };
    expect(outsideLimits({ sizeBytes: 0, modifiedAtMs: 0 }, none, 5_000)).toBeNull();
  });

  it("are told in words", () => {
    expect(describeLimit("TOO_SMALL", limits)).toBe("smaller than 10 bytes");
    expect(describeLimit("TOO_LARGE", limits)).toBe("larger than 20 bytes");
    expect(describeLimit("TOO_OLD", limits)).toBe("last modified more than 1 seconds ago");
    expect(describeLimit("TOO_OLD", { ...limits, ageMsMax: 86_400_000 })).toBe("last modified more than 1 day ago");
    expect(describeLimit("TOO_OLD", { ...limits, ageMsMax: 5_400_000 })).toBe("last modified more than 90 minutes ago");
  });
});
