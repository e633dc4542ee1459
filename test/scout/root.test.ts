import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scoutWorld, short } from "./fixture.ts";

const world = scoutWorld();
const field = world.openField;

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
