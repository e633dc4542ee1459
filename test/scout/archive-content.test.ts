import { createHash } from "node:crypto";
import { mkdtempSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { execa } from "execa";
import { afterAll, describe, expect, test } from "vitest";
import { archiveLimits, type ArchiveLimits } from "../../domain/archive.ts";
import { listMembers, type ListedMember, type ListMembersEnd } from "../../scout/list-members.ts";
import { readStat } from "../../scout/stat.ts";
import { tarGzOf, zipOf, type ZipEntry } from "../support/archives.ts";
import { testTools } from "../support/tools.ts";
import { removeTemporaryFolders, temporaryFolder } from "./fixture.ts";

afterAll(removeTemporaryFolders);

interface Listing {
  readonly members: readonly ListedMember[];
  readonly end: ListMembersEnd;
}

/** Reads an archive as a scan does. */
async function list(name: string, content: Uint8Array | null, limits?: Partial<ArchiveLimits>, root = temporaryFolder()): Promise<Listing> {
  if (content !== null) writeFileSync(join(root, name), content);
  const stat = (await readStat(join(root, name)))!;
  const members: ListedMember[] = [];
  const globs = { include: [], exclude: [], archives: true };
  const reading = listMembers({ root, relPath: name, stat, globs, fileLimits: anyFile, limits: { ...archiveLimits, ...limits } });
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { members, end: step.value };
    members.push(...step.value.members);
  }
}

const sha256 = (content: string): string => createHash("sha256").update(content).digest("hex");
const inShort = ({ members }: Listing) => members.map(({ name, hash, finding }) => `${name} ${hash === null ? finding?.kind : "taken"}`);
const rawTar = gunzipSync(await tarGzOf([{ name: "a.csv", content: "A".repeat(400) }]));
const read: ListMembersEnd = { outcome: "READ" };
const refused = (message: string | RegExp) => ({ outcome: "REFUSED", message: expect.stringMatching(message) });

describe("what is taken", () => {
  test("the members of a zip file, with size, hash and time; folders are none", async () => {
    const entries = [
      { name: "a.csv", content: "A" },
      { name: "sub/" },
      { name: "sub/empty.csv" },
      { name: "./sub//b.csv", content: "BB", method: 0 },
    ];
    const { members, end } = await list("drop.zip", zipOf(entries));
    expect(end).toEqual(read);
    const mtimeNs = BigInt(Date.UTC(2024, 0, 1, 12)) * 1_000_000n;
    expect(members).toEqual([
      { name: "a.csv", hash: sha256("A"), sizeBytes: 1, mtimeNs, finding: null },
      { name: "sub/empty.csv", hash: sha256(""), sizeBytes: 0, mtimeNs, finding: null },
      { name: "sub/b.csv", hash: sha256("BB"), sizeBytes: 2, mtimeNs, finding: null },
    ]);
  });

  test("the members of a gzipped tar file, also under .tgz and with names longer than a header takes", async () => {
    const long = `${"folder/".repeat(40)}b.csv`;
    const content = await tarGzOf([
      { name: "a.csv", content: "A" },
      { name: "sub/", type: "directory" },
      { name: long, content: "B" },
      { name: "empty" },
    ]);
    for (const name of ["drop.tar.gz", "DROP.TGZ"]) {
      const { members, end } = await list(name, content);
      expect(end).toEqual(read);
      expect(members.map((member) => [member.name, member.hash])).toEqual([
        ["a.csv", sha256("A")],
        [long, sha256("B")],
        ["empty", sha256("")],
      ]);
      expect(members[0]!.mtimeNs).toBe(1_700_000_000_000_000_000n);
    }
  });

  test("the one member of a gzip file, under the file's own name; parts that follow one another are one content", async () => {
    const { members, end } = await list("data.csv.gz", Buffer.concat([gzipSync("first\n"), gzipSync("second\n")]));
    expect(end).toEqual(read);
    expect(members.map((member) => [member.name, member.hash])).toEqual([["data.csv", sha256("first\nsecond\n")]]);
  });

  test("what Python writes to a stream: data descriptors, zip64, and more members than zip has a number for", async () => {
    const root = temporaryFolder();
    const script = `
import sys, zipfile, io
root = sys.argv[1]
class Pipe(io.RawIOBase):
    def __init__(self, path): self.file = open(path, "wb")
    def writable(self): return True
    def write(self, data): return self.file.write(data)
with zipfile.ZipFile(Pipe(root + "/stream.zip"), "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("a.csv", "A" * 1000)
    with z.open("b.csv", "w", force_zip64=True) as member: member.write(b"B" * 1000)
with zipfile.ZipFile(root + "/many.zip", "w") as z:
    for n in range(65600): z.writestr(f"{n}", "")
`;
    await execa(testTools().python, ["-c", script, root]);
    const stream = await list("stream.zip", null, {}, root);
    expect(stream.end).toEqual(read);
    expect(stream.members.map((member) => member.hash)).toEqual([sha256("A".repeat(1000)), sha256("B".repeat(1000))]);
    const many = await list("many.zip", null, {}, root);
    expect(many.end).toEqual(read);
    expect(many.members).toHaveLength(65_600);
  });

  test("an empty archive has no members", async () => {
    expect(await list("none.zip", zipOf([]))).toEqual({ members: [], end: read });
    expect(await list("none.tgz", await tarGzOf([]))).toEqual({ members: [], end: read });
  });
});

describe("names", () => {
  test.each([
    ["../up.csv", "leads out"],
    ["sub/../../up.csv", "leads out"],
    ["/etc/passwd", "absolute path"],
    ["C:\\data.csv", "drive letter"],
    ["c:data.csv", "drive letter"],
    ["sub\\a.csv", "backslash"],
    ["a\0.csv", "NUL"],
    ["./.", "no name"],
    [`${"n".repeat(256)}.csv`, "255 bytes"],
    [`${"folder/".repeat(600)}a.csv`, "4096 bytes"],
  ])("%j is refused and said in zip and tar, and the others are taken", async (name, reason) => {
    const zip = await list(
      "drop.zip",
      zipOf([
        { name, content: "x" },
        { name: "good.csv", content: "g" },
      ]),
    );
    const archives = [zip];
    // tar ends a name at its first NUL, as every program that reads it does.
    if (!name.includes("\0"))
      archives.push(
        await list(
          "drop.tgz",
          await tarGzOf([
            { name, content: "x" },
            { name: "good.csv", content: "g" },
          ]),
        ),
      );
    for (const { members, end } of archives) {
      expect(end).toEqual(read);
      expect(members).toHaveLength(2);
      expect(members[0]).toMatchObject({ hash: null, finding: { kind: "MEMBER_NAME_UNSAFE", message: expect.stringContaining(reason) } });
      expect(members[0]!.name).not.toContain("\0");
      expect(members[1]).toMatchObject({ name: "good.csv", finding: null });
    }
  });

  test("without the UTF-8 flag a zip name is of code page 437; with it, it must be UTF-8", async () => {
    const bytes = Buffer.from([0x81, 0x2e, 0x63, 0x73, 0x76]);
    const listing = await list("drop.zip", zipOf([{ name: "ü.csv" }, { name: bytes, flags: 0 }, { name: bytes }]));
    expect(inShort(listing)).toEqual(["ü.csv taken", "ü.csv taken", "\\x81.csv MEMBER_NAME_NOT_UTF8"]);
  });

  test("a tar name must be UTF-8, whether in the header or beside it", async () => {
    const root = temporaryFolder();
    const script = `
import sys, tarfile, io
for name, format in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
    with tarfile.open(sys.argv[1] + f"/{name}.tar.gz", "w:gz", format=format, encoding="utf-8", errors="surrogateescape") as tar:
        for n in ("gr\\u00fc\\u00df.csv", "bad\\udcff.csv"):
            tar.addfile(tarfile.TarInfo(n), io.BytesIO())
`;
    await execa(testTools().python, ["-c", script, root]);
    expect(inShort(await list("gnu.tar.gz", null, {}, root))).toEqual(["grüß.csv taken", "bad\\xff.csv MEMBER_NAME_NOT_UTF8"]);
    const pax = await list("pax.tar.gz", null, {}, root);
    expect(pax.members.map(({ hash, finding }) => finding?.kind ?? hash)).toEqual([sha256(""), "MEMBER_NAME_NOT_UTF8"]);
  });
});

const anyFile = { sizeBytesMin: 0, sizeBytesMax: null, ageMsMax: null };

describe("members that can't be taken", () => {
  test("encrypted, packed by a method that is not known, links and devices in zip", async () => {
    const entries: readonly ZipEntry[] = [
      { name: "secret.csv", content: "x", flags: 0x801 },
      { name: "bzip2.csv", content: "x", method: 12 },
      { name: "link.csv", content: "/etc/passwd", mode: 0o120777 },
      { name: "pipe", mode: 0o010644 },
      { name: "good.csv", content: "g" },
    ];
    const listing = await list("drop.zip", zipOf(entries));
    expect(listing.end).toEqual(read);
    expect(inShort(listing)).toEqual([
      "secret.csv MEMBER_ENCRYPTED",
      "bzip2.csv MEMBER_METHOD_UNKNOWN",
      "link.csv MEMBER_LINK",
      "pipe MEMBER_NO_FILE",
      "good.csv taken",
    ]);
  });

  test("links and devices in tar", async () => {
    const content = await tarGzOf([
      { name: "good.csv", content: "g" },
      { name: "hard.csv", type: "link", linkname: "good.csv" },
      { name: "soft.csv", type: "symlink", linkname: "/etc/passwd" },
      { name: "fifo", type: "fifo" },
      { name: "disk", type: "block-device" },
      { name: "tty", type: "character-device" },
      { name: "last.csv", content: "l" },
    ]);
    const listing = await list("drop.tar.gz", content);
    expect(listing.end).toEqual(read);
    expect(inShort(listing)).toEqual([
      "good.csv taken",
      "hard.csv MEMBER_LINK",
      "soft.csv MEMBER_LINK",
      "fifo MEMBER_NO_FILE",
      "disk MEMBER_NO_FILE",
      "tty MEMBER_NO_FILE",
      "last.csv taken",
    ]);
  });

  test("an archive within an archive is taken as it is, and it is said that it is not opened", async () => {
    const { members } = await list("outer.zip", zipOf([{ name: "inner.zip", content: zipOf([{ name: "a.csv" }]) }]));
    expect(members).toMatchObject([{ name: "inner.zip", hash: expect.any(String), finding: { kind: "MEMBER_IS_ARCHIVE" } }]);
  });
});

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
