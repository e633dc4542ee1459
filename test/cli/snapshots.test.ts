import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findSource } from "../../db/source-root.ts";
import { scanSource } from "../../scout/scan.ts";
import { createScoutThreads } from "../../scout/threads.ts";
import { openStore, snapshotPath, type SnapshotStore } from "../../snapshots/store.ts";
import { commandOn, failureOf } from "../support/command.ts";
import { testDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";
import { sha256 } from "../support/sha256.ts";
import { zipFiles } from "../support/archives.ts";

const { db, url, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-snapshots-"));
const casparian = commandOn(home, url);
const threads = createScoutThreads(1);
let store: SnapshotStore;
beforeAll(async () => {
  await mkdir(join(home, "inbox"));
  store = await openStore(join(home, ".casparian"));
});
afterAll(async () => {
  await threads.close();
  await close();
  await rm(home, { recursive: true, force: true });
});

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(join(home, "inbox", path), content);
  const source = (await findSource(db, "inbox"))!;
  await scanSource({ db, source, paths: null, threads, store, signal: new AbortController().signal, log: quietLog });
  await db.query("delete from cf_outbox");
}

async function damage(content: string, to: string): Promise<void> {
  await chmod(snapshotPath(store.folder, sha256(content)), 0o600);
  await writeFile(snapshotPath(store.folder, sha256(content)), to);
}

// One story: each test goes on where the one before ended.

test("before anything is kept, the commands say how to begin", async () => {
  expect((await casparian("snapshots")).stdout).toContain("casparian source set NAME --snapshots");
  expect(await casparian.json("snapshots", "--verify")).toEqual({ contents: 0, bytes: 0, damaged: [] });
  expect(await casparian.json("snapshots", "prune")).toMatchObject({ contents: 0 });
  expect(await casparian("snapshots", "prune", "--all", "inbox")).toMatchObject({ exitCode: 2 });
});

test("versions says which ones have a copy", async () => {
  await casparian.json("source", "add", "inbox", "inbox", "--settle", "0");
  await put("a.csv", "never kept");
  await casparian.json("source", "set", "inbox", "--snapshots");
  await put("a.csv", "second");
  await put("a.csv", "third");
  expect(await casparian.json<{ copy: string | null }[]>("versions", "a.csv")).toMatchObject([
    { copy: null },
    { copy: "here" },
    { copy: "here" },
  ]);
  expect((await casparian("versions", "a.csv")).stdout).toMatch(/COPY[^]* – [^]* here [^]* here /);
  expect(await casparian.json("snapshots")).toMatchObject({
    sources: [{ source: "inbox", keeps: true, versions: 2, contents: 2, bytes: 11, failed: 0 }],
    here: { contents: 2, bytes: 11 },
    elsewhere: { contents: 0 },
  });
  expect((await casparian("snapshots")).stdout).toMatch(/^SOURCE +KEEPS[^]*inbox +all +2 +2 +11 B/);
});

test("--save gives an old content back, and overwrites only with --force", async () => {
  const target = join(home, "old.csv");
  expect(await casparian.json("versions", "a.csv", "--save", "2", target)).toMatchObject({ savedTo: target });
  expect(await readFile(target, "utf8")).toBe("second");
  const refused = await casparian("versions", "a.csv", "--save", "3", target);
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--force") as string });
  expect(await readFile(target, "utf8")).toBe("second");
  expect((await casparian("versions", "a.csv", "--save", "3", target, "--force")).stdout).toContain("Version 3 of a.csv");
  expect(await readFile(target, "utf8")).toBe("third");
  // Into a folder under its own name.
  await mkdir(join(home, "saved"));
  await casparian.json("versions", "a.csv", "--save", "2", join(home, "saved"));
  expect(await readFile(join(home, "saved/a.csv"), "utf8")).toBe("second");
});

test("without a copy, --save takes the file while it still is the version, or says what to do", async () => {
  const target = join(home, "first.csv");
  const lost = await casparian("versions", "a.csv", "--save", "1", target, "--json");
  expect(lost.exitCode).toBe(1);
  expect(failureOf(lost)).toMatchObject({
    code: "CONTENT_NOT_KEPT",
    hint: expect.stringContaining("casparian source set inbox --snapshots") as string,
  });
  // Another file has the bytes.
  await casparian.json("source", "set", "inbox", "--no-snapshots");
  await put("b.csv", "never kept");
  expect(await casparian.json("versions", "a.csv", "--save", "1", target)).toMatchObject({ from: join(home, "inbox/b.csv") });
  expect(await readFile(target, "utf8")).toBe("never kept");
  await casparian.json("source", "set", "inbox", "--snapshots");
});

test.each([
  [["--save", "9", "x.csv"], "a.csv has no version 9", "It has versions 1 to 3"],
  [["--save", "2"], "no file is named", "--save 2 FILE"],
  [["x.csv"], "which version is to be saved", "--save NUMBER x.csv"],
  [["--save", "2", "missing/x.csv"], "can't be written", "make its folder"],
])("versions a.csv %j is wrong use that is explained", async (args, message, hint) => {
  const result = await casparian("versions", "a.csv", ...args, "--json");
  expect(result.exitCode).toBe(2);
  expect(failureOf(result)).toMatchObject({
    message: expect.stringContaining(message) as string,
    hint: expect.stringContaining(hint) as string,
  });
});

test("a damaged copy is found, is not given out, and is repaired from a file that has the content", async () => {
  expect((await casparian("snapshots", "--verify")).stdout).toContain("all intact");
  await damage("second", "sec0nd");
  await damage("third", "third and more");
  const verified = await casparian("snapshots", "--verify", "--json");
  expect(verified.exitCode).toBe(1);
  const { damaged } = JSON.parse(verified.stdout) as { damaged: { hash: string; versions: string[] }[] };
  expect(damaged.map(({ hash }) => hash)).toEqual([sha256("second"), sha256("third")].toSorted());
  expect(damaged.flatMap(({ versions }) => versions).toSorted()).toEqual(["inbox/a.csv · version 2", "inbox/a.csv · version 3"]);
  expect((await casparian("doctor")).stdout).toContain("copies are damaged");

  const corrupt = await casparian("versions", "a.csv", "--save", "2", join(home, "corrupt.csv"), "--json");
  expect(failureOf(corrupt)).toMatchObject({ code: "SNAPSHOT_CORRUPT", hint: expect.stringContaining("--repair") as string });
  await expect(readFile(join(home, "corrupt.csv"))).rejects.toThrow("ENOENT");

  const repaired = await casparian("snapshots", "--repair", "--json");
  expect(repaired.exitCode).toBe(1);
  const outcomes = (JSON.parse(repaired.stdout) as { damaged: { hash: string; outcome: string }[] }).damaged;
  expect(outcomes.find(({ hash }) => hash === sha256("third"))).toMatchObject({ outcome: "repaired" });
  expect(outcomes.find(({ hash }) => hash === sha256("second"))).toMatchObject({ outcome: "given up" });
  expect(await casparian("snapshots", "--verify")).toMatchObject({ exitCode: 0 });
  expect(await casparian.json<{ copy: string | null }[]>("versions", "a.csv")).toMatchObject([
    { copy: null },
    { copy: null },
    { copy: "here" },
  ]);
});

test("prune removes what the settings no longer keep", async () => {
  await put("a.csv", "fourth");
  await casparian.json("source", "set", "inbox", "--keep-count", "1");
  expect(await casparian.json("snapshots", "prune", "--dry-run")).toEqual({ dryRun: true, contents: 1, bytes: 5, awaited: 0 });
  expect((await casparian("snapshots", "prune", "--dry-run")).stdout).toBe("1 copy (5 B) would be removed");
  expect((await casparian("snapshots", "prune")).stdout).toBe("1 copy (5 B) was removed");
  expect((await casparian("snapshots", "prune", "--all", "inbox")).stdout).toMatch(/removed$/);
  expect(await casparian.json("snapshots")).toMatchObject({ here: { contents: 0 } });
});

test("a member of an archive is given back out of the archive, or out of a copy of that", async () => {
  const target = join(home, "member.csv");
  await casparian.json("source", "set", "inbox", "--archives");
  await put("drop.zip", zipFiles({ "in/a.csv": "first member" }));
  const save = (sequence: string) => casparian.json("versions", "drop.zip!/in/a.csv", "--save", sequence, target, "--force");
  expect(await save("1")).toMatchObject({ savedTo: target, from: join(home, "inbox/drop.zip") });
  expect(await readFile(target, "utf8")).toBe("first member");

  const kept = await readFile(join(home, "inbox/drop.zip"));
  await put("drop.zip", zipFiles({ "in/a.csv": "second member" }));
  const copy = snapshotPath(store.folder, sha256(kept));
  expect(await save("1")).toMatchObject({ from: copy });
  expect(await readFile(target, "utf8")).toBe("first member");
  expect(await save("2")).toMatchObject({ from: join(home, "inbox/drop.zip") });
  expect(await casparian.json("versions", "drop.zip!/in/a.csv")).toMatchObject([{ copy: "here" }, { copy: "here" }]);

  await rm(copy);
  const lost = await casparian("versions", "drop.zip!/in/a.csv", "--save", "1", target, "--force", "--json");
  expect(failureOf(lost)).toMatchObject({ code: "CONTENT_NOT_KEPT" });
  const nowhere = await casparian("versions", "drop.zip!/in/a.csv", "--save", "2", join(home, "missing/a.csv"), "--json");
  expect(failureOf(nowhere)).toMatchObject({ message: expect.stringContaining("can't be written") as string });
  expect((await readdir(home)).filter((name) => name.startsWith(".casparian-"))).toEqual([]);
});

test("copies of another home are named as such", async () => {
  await put("c.csv", "elsewhere");
  const other = commandOn(await mkdtemp(join(home, "other-")), url);
  expect(await other.json("versions", "c.csv")).toMatchObject([{ copy: "elsewhere" }]);
  await writeFile(join(home, "inbox/c.csv"), "changed since");
  const lost = await other("versions", "c.csv", "--save", "1", join(home, "c.csv"), "--json");
  expect(failureOf(lost)).toMatchObject({ code: "CONTENT_NOT_KEPT", hint: expect.stringContaining("Another home") as string });
});
