import { createHash } from "node:crypto";
import { appendFileSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isDatabaseTrouble } from "../../db/pool.ts";
import { scoutWorld, setModified } from "./fixture.ts";

const world = scoutWorld();
const field = world.openField;
const short = (content: string) => createHash("sha256").update(content).digest("hex").slice(0, 6);

test("new files become locations with a first version and a row in the outbox", async () => {
  const { write, scan, record, source } = await field();
  write("a.csv", "A");
  write("sub/deep/b.csv", "B");
  write("empty", "");

  const report = await scan();

  expect(report).toMatchObject({
    filesSeen: 3,
    filesNew: 3,
    filesChanged: 0,
    filesUnchanged: 0,
    filesWaiting: 0,
    nextSettleAt: null,
    bytesHashed: 2,
  });
  expect(await record()).toEqual([
    `a.csv PRESENT 1:${short("A")}`,
    `empty PRESENT 1:${short("")}`,
    `sub/deep/b.csv PRESENT 1:${short("B")}`,
  ]);
  const { rows } = await world.db.query(
    `select o.reason, v.sequence, v.size_bytes, abs(extract(epoch from now() - v.modified_at)) < 60 as recent
     from cf_outbox o join cf_file_version v on v.id = o.file_version_id join cf_file_location l on l.id = v.location_id
     where l.source_id = $1 order by v.size_bytes, o.reason`,
    [source.id],
  );
  expect(rows).toEqual(["0", "1", "1"].map((size) => ({ reason: "NEW", sequence: 1, size_bytes: size, recent: true })));
});

test("a second scan of an unchanged tree records nothing", async () => {
  const { write, scan, record } = await field();
  write("a.csv", "A");
  write("b.csv", "B");
  await scan();
  const before = await record();

  expect(await scan()).toMatchObject({ filesSeen: 2, filesNew: 0, filesUnchanged: 2, bytesHashed: 0 });
  expect(await record()).toEqual(before);
});

test("A, B and A again are three versions", async () => {
  const { write, scan, record } = await field();
  for (const content of ["A", "B", "A"]) {
    write("f", content);
    await scan();
  }
  expect(await record()).toEqual([`f PRESENT 1:${short("A")} 2:${short("B")} 3:${short("A")}`]);
});

test("a touched file takes the new stat and no version", async () => {
  const { root, write, scan, record } = await field();
  write("f", "A");
  await scan();
  setModified(join(root, "f"), 1_000_000);

  expect(await scan()).toMatchObject({ filesChanged: 0, filesUnchanged: 1, bytesHashed: 1 });
  expect(await scan()).toMatchObject({ filesUnchanged: 1, bytesHashed: 0 });
  expect(await record()).toEqual([`f PRESENT 1:${short("A")}`]);
});

test("other content under the same size and mtime is found by ctime", async () => {
  const { root, write, scan, record } = await field();
  write("f", "A");
  setModified(join(root, "f"), 1_000_000);
  await scan();
  write("f", "B");
  setModified(join(root, "f"), 1_000_000);

  expect(await scan()).toMatchObject({ filesChanged: 1 });
  expect(await record()).toEqual([`f PRESENT 1:${short("A")} 2:${short("B")}`]);
});

test("a file that arrives late with an old mtime is found", async () => {
  const { root, write, scan } = await field();
  write("new", "1");
  await scan();
  write("old", "2");
  setModified(join(root, "old"), 0);
  expect(await scan()).toMatchObject({ filesNew: 1 });
});

describe("a vanished file", () => {
  test("is marked with the time", async () => {
    const { root, write, scan, record, source } = await field();
    write("stays", "1");
    write("goes", "2");
    await scan();
    unlinkSync(join(root, "goes"));

    expect(await scan()).toMatchObject({ filesSeen: 1, filesVanished: 1, filesUnchanged: 1 });
    expect(await record()).toEqual([`goes VANISHED 1:${short("2")}`, `stays PRESENT 1:${short("1")}`]);
    const { rows } = await world.db.query(
      "select vanished_at is not null as dated from cf_file_location where source_id = $1 and state = 'VANISHED'",
      [source.id],
    );
    expect(rows).toEqual([{ dated: true }]);
    expect(await scan()).toMatchObject({ filesVanished: 0 });
  });

  test("that is back with the content of its newest version is present again without a new one", async () => {
    const { root, write, scan, record } = await field();
    write("stays", "1");
    write("f", "A");
    await scan();
    unlinkSync(join(root, "f"));
    await scan();
    write("f", "A");

    expect(await scan()).toMatchObject({ filesReappeared: 1, filesNew: 0, filesChanged: 0, bytesHashed: 1 });
    expect((await record())[0]).toBe(`f PRESENT 1:${short("A")}`);
  });

  test("that is back with other content has a further version", async () => {
    const { root, write, scan, record } = await field();
    write("stays", "1");
    write("f", "A");
    await scan();
    unlinkSync(join(root, "f"));
    await scan();
    write("f", "B");

    expect(await scan()).toMatchObject({ filesReappeared: 1, filesChanged: 0 });
    expect((await record())[0]).toBe(`f PRESENT 1:${short("A")} 2:${short("B")}`);
  });

  test("that is back under the very same stat is not even read", async () => {
    const { root, write, scan, record } = await field();
    write("stays", "1");
    write("folder/f", "A");
    await scan();
    // To move the file itself would change its ctime.
    const aside = `${root}-aside`;
    renameSync(join(root, "folder"), aside);
    expect(await scan()).toMatchObject({ filesVanished: 1 });
    renameSync(aside, join(root, "folder"));

    expect(await scan()).toMatchObject({ filesReappeared: 1, bytesHashed: 0 });
    expect((await record())[0]).toBe(`folder/f PRESENT 1:${short("A")}`);
  });
});

test("every file that was seen is counted once", async () => {
  const { root, write, scan } = await field();
  for (const name of ["same", "changed", "touched", "gone", "back"]) write(name, name);
  await scan();
  unlinkSync(join(root, "back"));
  await scan();
  write("back", "back");
  write("changed", "otherwise");
  setModified(join(root, "touched"), 1_000_000);
  unlinkSync(join(root, "gone"));
  write("new", "new");

  expect(await scan()).toMatchObject({
    filesSeen: 5,
    filesNew: 1,
    filesChanged: 1,
    filesReappeared: 1,
    filesUnchanged: 2,
    filesVanished: 1,
    filesWaiting: 0,
  });
});

test("the same content at two paths is two locations that share a hash", async () => {
  const { root, write, scan, record } = await field();
  write("a", "same");
  linkSync(join(root, "a"), join(root, "hard-link"));
  await scan();
  expect(await record()).toEqual([`a PRESENT 1:${short("same")}`, `hard-link PRESENT 1:${short("same")}`]);
});

test("names with every character that COPY and SQL treat specially come through", async () => {
  const names = [
    "tab\there",
    "line\nbreak",
    "return\rhere",
    "back\\slash",
    "\\N",
    "\\.",
    "quote'\"",
    "percent%_",
    " space ",
    "naïve-文件-🗂",
    "a;drop table",
  ];
  const { write, scan, source } = await field();
  for (const name of names) write(name, name);
  expect(await scan()).toMatchObject({ filesNew: names.length });
  const { rows } = await world.db.query<{ rel_path: string }>("select rel_path from cf_file_location where source_id = $1", [source.id]);
  expect(rows.map((row) => row.rel_path).toSorted()).toEqual(names.toSorted());
  expect(await scan(names)).toMatchObject({ filesSeen: names.length, filesUnchanged: names.length });
});

test("include and exclude choose files and folders", async () => {
  const { write, scan, record } = await field({ include: ["*.csv"], exclude: ["private/", "*.tmp.csv"] });
  for (const path of ["a.csv", "b.txt", "c.tmp.csv", "private/d.csv", "public/e.csv", "public/private/f.csv", ".casparian/g.csv"])
    write(path, path);
  await scan();
  expect((await record()).map((line) => line.split(" ")[0])).toEqual(["a.csv", "public/e.csv", "public/private/f.csv"]);
});

test("times that 64 bits of nanoseconds can't hold are recorded as the nearest that fits", async () => {
  const { root, write, scan } = await field();
  write("far-future", "1");
  write("before-1970", "2");
  setModified(join(root, "far-future"), 10_000_000_000);
  setModified(join(root, "before-1970"), -1_000_000);
  expect(await scan()).toMatchObject({ filesNew: 2 });
  expect(await scan()).toMatchObject({ filesUnchanged: 2, bytesHashed: 0 });
});

test("large files are hashed in pieces", async () => {
  const { root, write, scan, record } = await field();
  const content = "0123456789abcdef".repeat(200_000);
  write("large", content);
  truncateSync(join(root, "large"), content.length);
  mkdirSync(join(root, "sparse"));
  write("sparse/file", "");
  truncateSync(join(root, "sparse/file"), 40 * 1024 * 1024);
  const report = await scan();
  expect(report.bytesHashed).toBe(content.length + 40 * 1024 * 1024);
  expect(await record()).toEqual([
    `large PRESENT 1:${short(content)}`,
    `sparse/file PRESENT 1:${createHash("sha256")
      .update(Buffer.alloc(40 * 1024 * 1024))
      .digest("hex")
      .slice(0, 6)}`,
  ]);
});

describe("the root", () => {
  test("that is missing fails the scan, and nothing vanishes", async () => {
    const { root, write, scan, record, findings, source } = await field();
    write("f", "A");
    await scan();
    renameSync(root, `${root}-away`);

    await expect(scan()).rejects.toMatchObject({ code: "SOURCE_ROOT_MISSING", message: expect.stringContaining(root) });
    await expect(scan(["f"])).rejects.toMatchObject({ code: "SOURCE_ROOT_MISSING" });
    expect(await record()).toEqual([`f PRESENT 1:${short("A")}`]);
    expect(await findings()).toEqual(["ROOT_MISSING "]);
    const { rows } = await world.db.query("select state, message from cf_scan where source_id = $1 order by id desc limit 1", [source.id]);
    expect(rows).toEqual([{ state: "FAILED", message: expect.stringContaining("can't be read") }]);

    renameSync(`${root}-away`, root);
    expect(await scan()).toMatchObject({ filesUnchanged: 1, findings: 0 });
  });

  test("that is no folder fails the scan", async () => {
    const { root, write, scan } = await field();
    rmSync(root, { recursive: true });
    write("../" + root.split("/").at(-1), "a file");
    await expect(scan()).rejects.toMatchObject({ code: "SOURCE_ROOT_MISSING" });
    rmSync(root);
  });

  test("that is suddenly empty is said, and nothing vanishes", async () => {
    const { root, write, scan, record, findings, log } = await field();
    write("a", "A");
    write("folder/b", "B");
    await scan();
    const before = await record();
    renameSync(join(root, "a"), `${root}-a`);
    renameSync(join(root, "folder"), `${root}-folder`);

    for (const paths of [null, ["a"], ["folder"], ["a", "folder"]]) {
      expect(await scan(paths)).toMatchObject({ filesVanished: 0, message: expect.stringContaining("2 on record are present") });
    }
    expect(await record()).toEqual(before);
    expect(await findings()).toEqual(["ROOT_EMPTY "]);
    expect(log.lines.at(-1)).toMatchObject({ level: "warn" });

    renameSync(`${root}-a`, join(root, "a"));
    expect(await scan()).toMatchObject({ filesVanished: 1, findings: 0, message: null });
    rmSync(`${root}-folder`, { recursive: true });
  });
});

describe("when nearly all files vanish at once", () => {
  test("it is on record, and said", async () => {
    const { root, write, scan, source, log } = await field();
    for (let index = 0; index < 30; index += 1) write(`folder/f${index}`, String(index));
    write("stays", "1");
    await scan();
    renameSync(join(root, "folder"), `${root}-aside`);
    const report = await scan(["folder"]);
    expect(report).toMatchObject({ filesVanished: 30, message: expect.stringContaining("30 of 31 files vanished") });
    expect(log.lines.at(-1)).toEqual({ level: "warn", message: report.message });
    const { rows } = await world.db.query("select message from cf_scan where source_id = $1 order by id desc limit 1", [source.id]);
    expect(rows).toEqual([{ message: report.message }]);

    renameSync(`${root}-aside`, join(root, "folder"));
    expect(await scan()).toMatchObject({ filesReappeared: 30, bytesHashed: 0, message: null });
  });

  test("it is nothing special where they are few, or many are left", async () => {
    const { root, write, scan } = await field();
    for (let index = 0; index < 40; index += 1) write(`${index % 2 === 0 ? "even" : "odd"}/f${index}`, String(index));
    write("stays", "1");
    await scan();
    rmSync(join(root, "even"), { recursive: true });
    expect(await scan()).toMatchObject({ filesVanished: 20, message: null });
    for (let index = 3; index < 40; index += 2) rmSync(join(root, `odd/f${index}`));
    expect(await scan()).toMatchObject({ filesVanished: 19, message: null });
  });
});

describe("a scan", () => {
  test("has the source to itself", async () => {
    const { write, scan } = await field();
    for (let index = 0; index < 300; index += 1) write(`f${index}`, String(index));
    const reports = await Promise.all([scan(), scan(), scan(["f1"])]);
    expect(reports.map((report) => report.filesNew).toSorted((a, b) => a - b)).toEqual([0, expect.any(Number), expect.any(Number)]);
    expect(reports.reduce((sum, report) => sum + report.filesNew, 0)).toBe(300);
  });

  test("gives way when another process has the source", async () => {
    const { scan, source } = await field();
    const other = await world.db.connect();
    await other.query("select pg_advisory_lock(hashtextextended('casparian scan', $1::bigint))", [source.id]);
    await expect(scan()).rejects.toMatchObject({ code: "SCAN_UNDER_WAY" });
    other.release(true);
    expect(await scan()).toMatchObject({ filesSeen: 0 });
  });

  test("stops when it is cancelled, is on record as such, and the next one does its work", async () => {
    const { write, scan, record, source } = await field();
    for (let index = 0; index < 2_000; index += 1) write(`f${index}`, String(index));
    for (const step of ["walk", "compare", "hash"]) {
      const cancel = new AbortController();
      const onProgress = (progress: { step: string }) => {
        if (progress.step === step) cancel.abort(new Error("cancelled by a test"));
      };
      await expect(scan(null, { signal: cancel.signal, onProgress })).rejects.toThrow("cancelled by a test");
    }
    const { rows } = await world.db.query("select distinct state from cf_scan where source_id = $1", [source.id]);
    expect(rows).toEqual([{ state: "CANCELLED" }]);
    const done = await scan();
    expect(done.filesSeen).toBe(2_000);
    expect(await record()).toHaveLength(2_000);
  });

  test("goes on when Postgres drops its connection, once it is tried again", async () => {
    const { write, scan, record } = await field();
    for (let index = 0; index < 1_000; index += 1) write(`f${index}`, String(index));
    let cut = false;
    const onProgress = () => {
      if (cut) return;
      cut = true;
      void world.db.query(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
      );
    };
    await expect(scan(null, { onProgress })).rejects.toSatisfy(isDatabaseTrouble);
    expect(await scan()).toMatchObject({ filesSeen: 1_000 });
    expect(await record()).toHaveLength(1_000);
  });

  test("with bounds gives up before hashing when there is more to do", async () => {
    const { write, scan, record } = await field();
    write("f", "12345");
    await expect(scan(["f"], { bounds: { files: 10, bytes: 4 } })).rejects.toMatchObject({ code: "SCAN_TOO_LARGE" });
    write("g", "1");
    await expect(scan(["f", "g"], { bounds: { files: 1, bytes: 100 } })).rejects.toMatchObject({ code: "SCAN_TOO_LARGE" });
    expect(await record()).toEqual([]);
    expect(await scan(["f", "g"], { bounds: { files: 2, bytes: 6 } })).toMatchObject({ filesNew: 2 });
  });
});

test("a link, and a file that was replaced by one", async () => {
  const { root, write, scan, record, findings } = await field();
  write("target", "T");
  write("f", "A");
  await scan();
  unlinkSync(join(root, "f"));
  symlinkSync("target", join(root, "f"));
  expect(await scan()).toMatchObject({ filesSeen: 1, filesVanished: 1, findings: 1 });
  expect(await findings()).toEqual(["LINK_INSIDE f"]);
  unlinkSync(join(root, "f"));
  write("f", "A");
  appendFileSync(join(root, "target"), "!");
  expect(await scan()).toMatchObject({ filesReappeared: 1, filesChanged: 1, findings: 0 });
  expect(await record()).toEqual([`f PRESENT 1:${short("A")}`, `target PRESENT 1:${short("T")} 2:${short("T!")}`]);
});
