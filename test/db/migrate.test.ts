import { appendFile, cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { migrate } from "../../db/migrate.ts";
import { openDatabase } from "../../db/pool.ts";
import type { Log } from "../../domain/log.ts";
import { emptyDatabase, type TestDatabase } from "../support/database.ts";

const released = new URL("../../db/migrations/", import.meta.url);
let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await emptyDatabase();
  folder = await mkdtemp(join(tmpdir(), "casparian-migrations-"));
  await cp(released, folder, { recursive: true });
});

afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const inFolder = (): { folder: URL } => ({ folder: pathToFileURL(`${folder}/`) });

test("applies every migration once", async () => {
  const applied = await migrate(database.db);
  expect(applied).toEqual((await readdir(released)).toSorted());
  expect(await migrate(database.db)).toEqual([]);
});

test("of several programs that start at once, one applies them", async () => {
  const pools = Array.from({ length: 4 }, () => openDatabase(database.url));
  const applied = await Promise.all(pools.map((pool) => migrate(pool)));
  await Promise.all(pools.map((pool) => pool.end()));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
});

test("several databases of one cluster are made at once, and one of them makes the auditors' role", async () => {
  const readerRole = `reader_${new URL(database.url).pathname.slice(1)}`;
  const others = await Promise.all(Array.from({ length: 4 }, () => emptyDatabase()));
  try {
    await Promise.all(others.map(({ db }) => migrate(db, { readerRole })));
    for (const { db } of others) {
      const { rows } = await db.query("select has_table_privilege($1, 'cf_file_version', 'select') as allowed", [readerRole]);
      expect(rows).toEqual([{ allowed: true }]);
    }
  } finally {
    for (const other of others) await other.close();
    await database.db.query(`drop role if exists ${readerRole}`);
  }
});

test("a migration that was changed after it had landed is an error that names it", async () => {
  await migrate(database.db, inFolder());
  await appendFile(join(folder, "0001_record.sql"), "\n-- one more thing");
  await expect(migrate(database.db, inFolder())).rejects.toMatchObject({
    code: "MIGRATION_CHANGED",
    message: expect.stringContaining("0001_record.sql"),
  });
});

test("the same file with Windows line ends is the same migration", async () => {
  await writeFile(join(folder, "0002_more.sql"), "create table cf_more (\n  id int);\n");
  await migrate(database.db, inFolder());
  await writeFile(join(folder, "0002_more.sql"), "create table cf_more (\r\n  id int);\r\n");
  expect(await migrate(database.db, inFolder())).toEqual([]);
});

test("a database that is newer than the program is left alone", async () => {
  await writeFile(join(folder, "9001_future.sql"), "create table cf_future (id int)");
  await migrate(database.db, inFolder());
  await expect(migrate(database.db)).rejects.toMatchObject({ code: "DATABASE_NEWER", message: expect.stringContaining("9001_future.sql") });
});

test("a migration that comes before one that has landed is an error", async () => {
  await writeFile(join(folder, "9001_later.sql"), "create table cf_later (id int)");
  await migrate(database.db, inFolder());
  await writeFile(join(folder, "9000_earlier.sql"), "create table cf_earlier (id int)");
  await expect(migrate(database.db, inFolder())).rejects.toMatchObject({
    code: "MIGRATION_CHANGED",
    message: expect.stringMatching(/9000_earlier.*9001_later/),
  });
});

test("of migrations that fail nothing remains", async () => {
  await writeFile(join(folder, "9001_good.sql"), "create table cf_good (id int)");
  await writeFile(join(folder, "9002_bad.sql"), "create table cf_bad (id nonsense)");
  await expect(migrate(database.db, inFolder())).rejects.toMatchObject({
    code: "MIGRATION_FAILED",
    message: expect.stringMatching(/9002_bad\.sql.*nonsense/),
  });
  const { rows } = await database.db.query("select relname from pg_class where starts_with(relname, 'cf_')");
  expect(rows).toEqual([]);
});

test("a table of a later migration is readable for auditors", async () => {
  await migrate(database.db);
  await writeFile(join(folder, "9001_later.sql"), "create table cf_later (id int)");
  await migrate(database.db, inFolder());
  const auditor = openDatabase(database.readerUrl);
  expect((await auditor.query("select * from cf_later")).rows).toEqual([]);
  await auditor.end();
});

test("a user who may not make roles or grant gets the record all the same, and the log says what is missing", async () => {
  const name = new URL(database.url).pathname.slice(1);
  await database.db.query(`create role ${name} login password 'x'`);
  await database.db.query(`grant create on schema public to ${name}`);
  const warnings: string[] = [];
  const log: Log = { debug: () => {}, info: () => {}, warn: (message) => void warnings.push(message), error: () => {} };
  // The role's name is another one in this copy, because the cluster has the real one already.
  const limited = openDatabase(Object.assign(new URL(database.url), { username: name, password: "x" }).href);
  try {
    await migrate(limited, { log, readerRole: `${name}_reader` });
    expect(warnings).toEqual([expect.stringContaining("auditors have no read-only role")]);
    expect((await limited.query("select count(*)::int as versions from cf_file_version")).rows).toEqual([{ versions: 0 }]);
  } finally {
    await limited.end();
    await database.db.query(`drop owned by ${name}`);
    await database.db.query(`drop role ${name}`);
  }
});

test("a database in another encoding is refused", async () => {
  const name = `${new URL(database.url).pathname.slice(1)}_latin`;
  await database.db.query(`create database ${name} encoding 'LATIN1' template template0`);
  const latin = openDatabase(Object.assign(new URL(database.url), { pathname: `/${name}` }).href);
  try {
    await expect(migrate(latin)).rejects.toMatchObject({ code: "DATABASE_UNSUITABLE", message: expect.stringContaining("LATIN1") });
  } finally {
    await latin.end();
    await database.db.query(`drop database ${name}`);
  }
});
