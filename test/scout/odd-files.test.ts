import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { testTools } from "../support/tools.ts";
import { walk } from "../../scout/walk.ts";
import { asOrdinaryUser, scoutWorld } from "./fixture.ts";

const world = scoutWorld();
const field = world.openField;
const paths = (record: readonly string[]) => record.map((line) => line.split(" ")[0]);

describe("a symbolic link is never followed, and said", () => {
  test.each([
    ["to a file outside", "/etc/hostname", "LINK_OUTSIDE"],
    ["to a folder outside", "/etc", "LINK_OUTSIDE"],
    ["out and back by ..", "../../../../etc", "LINK_OUTSIDE"],
    ["to a file inside", "real.csv", "LINK_INSIDE"],
    ["to a folder inside", "folder", "LINK_INSIDE"],
    ["to the root itself", ".", "LINK_INSIDE"],
    ["to itself", "link", "LINK_LOOP"],
    ["to nothing", "nowhere", "LINK_BROKEN"],
  ])("%s", async (_name, target, finding) => {
    const { root, write, scan, record, findings } = await field();
    write("real.csv", "1");
    write("folder/inner.csv", "2");
    symlinkSync(target, join(root, "link"));

    expect(await scan()).toMatchObject({ filesSeen: 2, filesNew: 2, findings: 1 });
    expect(await findings()).toEqual([`${finding} link`]);
    expect(paths(await record())).toEqual(["folder/inner.csv", "real.csv"]);
    expect(await scan(["link", "link/inner.csv"])).toMatchObject({ filesSeen: 0, findings: 1 });

    unlinkSync(join(root, "link"));
    expect(await scan(["link"])).toMatchObject({ findings: 0 });
  });
});

test("pipes and sockets are found, not opened", async () => {
  const { root, write, scan, findings } = await field();
  write("f", "1");
  execFileSync("mkfifo", [join(root, "pipe")]);
  const server = createServer().listen(join(root, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));

  expect(await scan()).toMatchObject({ filesSeen: 1, filesNew: 1, findings: 2 });
  expect(await findings()).toEqual(["FIFO pipe", "SOCKET socket"]);
  server.close();
});

test("a device is found, not opened", async () => {
  const { source, scan, findings } = await field();
  expect(await scan(null, { source: { ...source, path: "/dev", include: ["null"] } })).toMatchObject({ filesSeen: 0, findings: 1 });
  expect(await findings()).toEqual(["DEVICE null"]);
});

test("a file system that is mounted below the root belongs to it, and what was in it vanishes with it", async (context) => {
  const { root, source, write, scan, record } = await field();
  write("stays", "1");
  mkdirSync(join(root, "mounted"));
  const program = fileURLToPath(new URL("scan-process.ts", import.meta.url));
  const script = 'mount -t tmpfs none "$0/mounted" && echo content > "$0/mounted/inner" && exec "$@"';
  try {
    execFileSync("unshare", ["-rm", "true"], { stdio: "ignore" });
  } catch {
    return context.skip("the kernel lets this user make no mount namespace");
  }
  execFileSync("unshare", ["-rm", "sh", "-c", script, root, process.execPath, program, world.url, source.name], { stdio: "pipe" });
  expect(await record()).toEqual([expect.stringMatching(/^mounted\/inner PRESENT 1:/), expect.stringMatching(/^stays PRESENT 1:/)]);

  expect(await scan()).toMatchObject({ filesSeen: 1, filesVanished: 1, findings: 0 });
});

describe("what changes its kind in the middle of a scan", () => {
  test("while folders are read, is what it is when it is looked at", async () => {
    const { root, write } = await field();
    // More than a chunk: the walk stops in the middle of the root's own files.
    for (let index = 0; index < 1_000; index += 1) write(`${"x".repeat(200)}-${index}`, "");
    for (const path of ["gone/a", "becomes-file/a", "deep/er/a", "stays/a"]) write(path, "1");
    const walking = walk({ root, include: [], exclude: [], paths: null });
    let lines = "";
    let chunk = walking.next();
    rmSync(join(root, "gone"), { recursive: true });
    rmSync(join(root, "becomes-file"), { recursive: true });
    writeFileSync(join(root, "becomes-file"), "1");
    rmSync(join(root, "deep"), { recursive: true });
    symlinkSync("stays", join(root, "deep"));
    for (; chunk.done !== true; chunk = walking.next()) lines += Buffer.from(chunk.value.lines).toString();
    expect(chunk.value).toMatchObject({ scope: null, rootIsEmpty: false });
    expect(lines.match(/^stays\/a\t/gm)).toHaveLength(1);
    expect(lines).not.toMatch(/^gone|becomes-file\/|UNREADABLE/m);
  });

  test("before it is read, waits and is seen as what it is by the next one", async () => {
    const { root, write, scan, record, findings } = await field();
    for (const name of ["stays", "gone", "folder", "pipe", "link", "grows", "shrinks"]) write(name, name);
    const change = (): void => {
      for (const name of ["gone", "folder", "pipe", "link"]) unlinkSync(join(root, name));
      write("folder/inner", "inner");
      execFileSync("mkfifo", [join(root, "pipe")]);
      symlinkSync("stays", join(root, "link"));
      write("grows", "grows and grows");
      write("shrinks", "");
    };
    let isDone = false;
    const onProgress = ({ step }: { step: string }): void => {
      if (step !== "compare" || isDone) return;
      isDone = true;
      change();
    };
    expect(await scan(null, { onProgress })).toMatchObject({ filesSeen: 7, filesNew: 1, filesWaiting: 6, findings: 0 });
    expect(paths(await record())).toEqual(["stays"]);

    expect(await scan([])).toMatchObject({ filesWaiting: 0, nextSettleAt: null });
    expect(paths(await record())).toEqual(["folder/inner", "grows", "shrinks", "stays"]);
    expect(await findings()).toEqual(["FIFO pipe", "LINK_INSIDE link"]);
  });
});

test("names that are not UTF-8 are shown with their bytes; a real U+FFFD is a character like others", async () => {
  const { root, write, scan, findings, record } = await field();
  write("\uFFFD.csv", "1");
  writeFileSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9]), Buffer.from(".csv")]), "2");
  mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff]), Buffer.from("/inner.csv")]), "3");

  expect(await scan()).toMatchObject({ filesSeen: 1, findings: 2 });
  expect(await findings()).toEqual(["NAME_NOT_UTF8 \\xff", "NAME_NOT_UTF8 caf\\xe9.csv"]);
  expect(paths(await record())).toEqual(["\uFFFD.csv"]);
});

test("paths longer than the system takes are a finding, and what is above them is scanned", async () => {
  const { root, scan, findings } = await field();
  const name = "x".repeat(250);
  // Only relative steps get so deep.
  const program = `import os\nfor i in range(20):\n  os.mkdir("${name}"); os.chdir("${name}"); open("file", "w").write(str(i))`;
  execFileSync(testTools().python, ["-c", program], { cwd: root });

  const report = await scan();
  expect(report.filesSeen).toBeGreaterThan(10);
  expect(report.filesNew).toBe(report.filesSeen);
  expect(report.findings).toBeGreaterThan(0);
  expect((await findings()).every((finding) => finding.startsWith("UNREADABLE "))).toBe(true);
  expect(await scan()).toMatchObject({ filesUnchanged: report.filesSeen, filesVanished: 0 });
  execFileSync("rm", ["-rf", join(root, name)]);
});

describe("what can't be read", () => {
  test("is a finding, keeps what is on record, and is taken once it can be", async () => {
    const { root, write, scan, record, findings } = await field();
    write("open/a", "1");
    write("closed/b", "2");
    write("closed/deep/c", "3");
    await scan();
    const before = await record();
    write("secret", "4");
    chmodSync(root, 0o755);
    chmodSync(join(root, "secret"), 0);
    chmodSync(join(root, "closed"), 0);

    await asOrdinaryUser(async () => {
      for (const hints of [null, ["closed"], ["closed/b", "secret"]]) {
        expect(await scan(hints)).toMatchObject({ filesNew: 0, filesVanished: 0, filesWaiting: 0, nextSettleAt: null });
      }
      expect(await scan()).toMatchObject({ filesSeen: 2, filesUnchanged: 1, findings: 2 });
    });
    expect(await findings()).toEqual(["UNREADABLE closed", "UNREADABLE secret"]);
    expect(await record()).toEqual(before);

    chmodSync(join(root, "secret"), 0o644);
    chmodSync(join(root, "closed"), 0o755);
    expect(await scan()).toMatchObject({ filesNew: 1, filesUnchanged: 3, findings: 0 });
  });

  test("does not hide what vanished elsewhere", async () => {
    const { root, write, scan } = await field();
    write("open/a", "1");
    write("open/b", "2");
    write("closed/c", "3");
    await scan();
    chmodSync(root, 0o755);
    chmodSync(join(root, "closed"), 0);
    rmSync(join(root, "open/a"));
    await asOrdinaryUser(async () => {
      expect(await scan()).toMatchObject({ filesVanished: 1, findings: 1 });
    });
    chmodSync(join(root, "closed"), 0o755);
    renameSync(join(root, "closed"), join(root, "moved"));
    expect(await scan()).toMatchObject({ filesVanished: 1, filesNew: 1, findings: 0 });
  });
});
