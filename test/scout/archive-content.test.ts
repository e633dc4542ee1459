import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { afterAll, describe, expect, test } from "vitest";
import { tarGzOf, zipOf, type ZipEntry } from "../support/archives.ts";
import { sha256 } from "../support/sha256.ts";
import { testTools } from "../support/tools.ts";
import { list, read, type Listing } from "./archive-fixture.ts";
import { removeTemporaryFolders, temporaryFolder } from "./fixture.ts";

afterAll(removeTemporaryFolders);

const inShort = ({ members }: Listing) => members.map(({ name, hash, finding }) => `${name} ${hash === null ? finding?.kind : "taken"}`);

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
