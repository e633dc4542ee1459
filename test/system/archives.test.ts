import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tarGzOf, zipOf } from "../support/archives.ts";
import { readResults } from "../support/parquet.ts";
import { testProduct } from "../support/product.ts";
import { csv, csvPlugin } from "../support/samples.ts";

const product = await testProduct();

test("a zip file with two CSV files is dropped, and both become tables", async () => {
  await product.json("plugin", "publish", await product.write("finance.py", csvPlugin));
  await product.json("source", "set", "inbox", "--archives");
  await writeFile(
    join(product.inbox, "drop.zip"),
    zipOf([
      { name: "trades.csv", content: csv(100) },
      { name: "sub/orders.csv", content: csv(20) },
      { name: "../escape.csv", content: csv(1) },
    ]),
  );
  await writeFile(join(product.inbox, "nightly.tar.gz"), await tarGzOf([{ name: "night.csv", content: csv(3) }]));
  const scan = await product.run("scan", "--wait");
  expect(scan.stderr).not.toContain("no rule");
  expect(scan.exitCode).toBe(0);
  const results = await readResults(join(product.home, "output"));
  expect(results.map(({ rows }) => rows).toSorted((a, b) => a - b)).toEqual([3, 20, 100]);
});

test("people find the members by their paths, and from a row the bytes of the archive", async () => {
  const files = await product.json<readonly { path: string; archive: string | null }[]>("files");
  expect(files.map(({ path, archive }) => `${path} in ${archive}`).toSorted()).toEqual([
    "drop.zip in null",
    "drop.zip!/sub/orders.csv in drop.zip",
    "drop.zip!/trades.csv in drop.zip",
    "nightly.tar.gz in null",
    "nightly.tar.gz!/night.csv in nightly.tar.gz",
  ]);
  expect(await product.json("files", "--unmatched", "--list")).toEqual([]);
  expect(await product.json("files", "--unmatched")).toMatchObject({ files: 0 });
  const [job] = await product.json<readonly { id: string; path: string }[]>("jobs", "list", "--plugin", "finance");
  expect(job!.path).toContain("!/");

  const archive = await product.run("versions", "drop.zip");
  expect(archive.stdout).toContain("2 members");
  expect(archive.stdout).toMatch(/drop\.zip!\/trades\.csv +PRESENT/);
  const member = await product.run("versions", join(product.inbox, "drop.zip!/trades.csv"));
  expect(member.stdout).toContain("drop.zip version 1");
  const [{ archive: from }] = await product.json<readonly [{ archive: { contentHash: string } }]>("versions", "drop.zip!/trades.csv");
  const lineage = await product.run("lineage", "--file", "drop.zip!/trades.csv");
  expect(lineage.stdout).toContain(`archive  drop.zip version 1`);
  expect(lineage.stdout).toContain(from.contentHash);
  const doctor = await product.run("doctor");
  expect(doctor.stdout).toContain("inbox/drop.zip!/../escape.csv: its name leads out of the archive by ..");
});

test("a corrupt archive is refused in words, and no rule is missed for it", async () => {
  await writeFile(join(product.inbox, "broken.zip"), "PK but no more");
  const scan = await product.run("scan", "--wait");
  expect(scan.exitCode).toBe(0);
  expect(scan.stdout + scan.stderr).not.toContain("No rule");
  const versions = await product.run("versions", "broken.zip");
  expect(versions.stdout).toMatch(/version 1: the archive is refused, .* it is corrupt: .*; put a good copy in its place/);
  expect((await product.run("doctor")).stdout).toContain("inbox/broken.zip: the archive is refused");
});
