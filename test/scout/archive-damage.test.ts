import { mkdtempSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { ArchiveLimits } from "../../domain/archive.ts";
import { listMembers, type ListMembersEnd } from "../../scout/list-members.ts";
import { readStat } from "../../scout/stat.ts";
import { tarGzOf, zipOf } from "../support/archives.ts";
import { anyFile, list, read } from "./archive-fixture.ts";
import { removeTemporaryFolders, temporaryFolder } from "./fixture.ts";

afterAll(removeTemporaryFolders);

const rawTar = gunzipSync(await tarGzOf([{ name: "a.csv", content: "A".repeat(400) }]));
const refused = (message: string | RegExp) => ({ outcome: "REFUSED", message: expect.stringMatching(message) });

describe("archives that are refused", () => {
  const good = zipOf([
    { name: "a.csv", content: "a,b\n".repeat(1000) },
    { name: "b.csv", content: "B" },
  ]);

  test.each([
    ["a checksum that does not match", "drop.zip", zipOf([{ name: "a.csv", content: "A", checksum: 1 }]), "checksum"],
    ["a stored member with another length", "drop.zip", zipOf([{ name: "a.csv", content: "A", method: 0, sizeBytes: 5 }]), "size mismatch"],
    [
      "a packed member that is longer",
      "drop.zip",
      zipOf([{ name: "a.csv", content: "A".repeat(9), sizeBytes: 5 }]),
      "longer than the directory",
    ],
    ["a packed member that is shorter", "drop.zip", zipOf([{ name: "a.csv", content: "A", sizeBytes: 5 }]), "has not the length"],
    [
      "a large member with another length",
      "drop.zip",
      zipOf([{ name: "a.csv", content: "A".repeat(300_000), sizeBytes: 5 }]),
      "longer than the directory",
    ],
    [
      "a large member with another length yet",
      "drop.zip",
      zipOf([{ name: "a.csv", content: "A".repeat(300_000), sizeBytes: 400_000 }]),
      "not enough bytes",
    ],
    ["members that lie beyond its end", "drop.zip", beyond(good), "end of file"],
    ["a zip file that lacks its end", "drop.zip", good.subarray(0, good.length - 30), "End of central directory"],
    ["no zip file at all", "drop.zip", Buffer.from("just text"), "End of central directory"],
    ["an empty file", "drop.zip", Buffer.alloc(0), "corrupt"],
    ["a gzip file that lacks its end", "a.csv.gz", gzipSync("x".repeat(100_000)).subarray(0, 80), "unexpected end of file"],
    ["no gzip file at all", "a.csv.gz", Buffer.from("just text"), "incorrect header check"],
    ["a gzip file that holds no tar", "drop.tgz", gzipSync("x".repeat(2_000)), "Invalid tar header"],
    ["a tar file that ends in a member", "drop.tgz", gzipSync(rawTar.subarray(0, 700)), "Unexpected end of data"],
  ])("%s", async (_, name, content, reason) => {
    expect((await list(name, content)).end).toEqual(refused(reason));
  });

  test("one changed byte anywhere in a gzip file's content or checksum", async () => {
    const packed = gzipSync("a,b\n".repeat(100));
    for (const at of [20, packed.length - 6]) {
      const broken = Buffer.from(packed);
      broken[at] = broken[at]! ^ 0x55;
      expect((await list("a.csv.gz", broken)).end).toEqual(refused("corrupt"));
    }
  });

  test.each<[string, Partial<ArchiveLimits>, string]>([
    ["members", { membersMax: 1 }, "more than 1 members"],
    ["bytes of a member", { memberBytesMax: 3_999 }, "a member unpacks to more than 3999 bytes"],
    ["bytes of all members", { bytesMax: 4_000 }, "unpacks to more than 4000 bytes"],
    ["the ratio", { ratioMax: 5, ratioFreeBytes: 1_000 }, "more than 5 times its size"],
  ])("a limit that is passed: %s", async (_, limits, reason) => {
    expect((await list("drop.zip", good, limits)).end).toEqual(refused(reason));
    const tar = await tarGzOf([
      { name: "a.csv", content: "a,b\n".repeat(1000) },
      { name: "b.csv", content: "B" },
    ]);
    expect((await list("drop.tgz", tar, limits)).end).toEqual(refused(reason));
    if (limits.membersMax === undefined) expect((await list("a.gz", gzipSync("a,b\n".repeat(1001)), limits)).end).toEqual(refused(reason));
    expect((await list("drop.zip", good, { membersMax: 2, memberBytesMax: 4_000, bytesMax: 4_001 })).end).toEqual(read);
  });

  test("a zip bomb whose members share their bytes, by the limits that hold for everybody", async () => {
    const bomb = zipOf([{ name: "0", content: Buffer.alloc(8 * 1024 ** 2) }]);
    const directoryAt = bomb.readUInt32LE(bomb.length - 6);
    const entry = bomb.subarray(directoryAt, bomb.length - 22);
    const end = Buffer.from(bomb.subarray(bomb.length - 22));
    end.writeUInt16LE(1_000, 8);
    end.writeUInt16LE(1_000, 10);
    const quine = Buffer.concat([bomb.subarray(0, directoryAt), ...Array.from({ length: 1_000 }, () => entry), end]);
    const { end: result } = await list("bomb.zip", quine);
    expect(result).toEqual(refused("zip bomb"));
  });

  test("a gzip bomb", async () => {
    expect((await list("zeros.gz", gzipSync(Buffer.alloc(80 * 1024 ** 2)))).end).toEqual(refused("zip bomb"));
  });
});

test("an archive that is not what is on record, before or after it was read, is to settle again", async () => {
  const root = temporaryFolder();
  const path = join(root, "drop.zip");
  writeFileSync(
    path,
    zipOf([
      { name: "a.csv", content: "A" },
      { name: "b.csv", content: "B" },
    ]),
  );
  const stat = (await readStat(path))!;
  const request = { root, relPath: "drop.zip", globs: { include: [], exclude: [], archives: true } };
  expect(await lastOf(listMembers({ ...request, fileLimits: anyFile, stat: { ...stat, ctimeNs: 1n } }))).toEqual({
    outcome: "CHANGED",
    stat,
  });

  const entries = Array.from({ length: 1_200 }, (_, n) => ({ name: `${n}`, content: "x" }));
  writeFileSync(path, zipOf(entries));
  const reading = listMembers({ ...request, fileLimits: anyFile, stat: (await readStat(path))! });
  expect((await reading.next()).done).toBe(false);
  truncateSync(path, 100);
  expect(await lastOf(reading)).toEqual({ outcome: "CHANGED", stat: await readStat(path) });
});

test("memory is flat, however much comes out", async () => {
  const folder = mkdtempSync(join(tmpdir(), "casparian-scout-"));
  const part = gzipSync(Buffer.alloc(64 * 1024 ** 2));
  writeFileSync(join(folder, "large.gz"), Buffer.concat(Array.from({ length: 10 }, () => part)));
  const before = process.memoryUsage().rss;
  let highest = 0;
  const timer = setInterval(() => (highest = Math.max(highest, process.memoryUsage().rss)), 20);
  const { members, end } = await list("large.gz", null, { ratioMax: Infinity }, folder);
  clearInterval(timer);
  expect(end).toEqual(read);
  expect(members[0]!.sizeBytes).toBe(640 * 1024 ** 2);
  expect(highest - before).toBeLessThan(150 * 1024 ** 2);
});

/** The directory says of every member that it is where the file has ended. */
function beyond(zip: Buffer): Buffer {
  const moved = Buffer.from(zip);
  for (let at = moved.readUInt32LE(moved.length - 6); moved.readUInt32LE(at) === 0x02014b50; at += 46 + moved.readUInt16LE(at + 28)) {
    moved.writeUInt32LE(moved.length, at + 42);
  }
  return moved;
}

async function lastOf(reading: AsyncGenerator<unknown, ListMembersEnd>): Promise<ListMembersEnd> {
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return step.value;
  }
}
