import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { openDatabase, type Database } from "../../db/pool.ts";

export interface TestDatabase {
  readonly db: Database;
  /** As the owner. */
  readonly url: string;
  /** As the auditors' read-only user. */
  readonly readerUrl: string;
  /** Closes the pool and drops the database, whoever else is connected. */
  readonly close: () => Promise<void>;
}

/** A fresh database with the whole schema and no rows; one for each test file, closed in `afterAll`. */
export async function testDatabase(): Promise<TestDatabase> {
  return makeDatabase("record_template");
}

/** A fresh database without anything in it. */
export async function emptyDatabase(): Promise<TestDatabase> {
  return makeDatabase("template1");
}

async function makeDatabase(template: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await onCluster(`create database ${name} template ${template}`);
  const url = ofDatabase(inject("databaseUrl"), name);
  const db = openDatabase(url, { applicationName: "test" });
  const close = async (): Promise<void> => {
    await db.end();
    await onCluster(`drop database if exists ${name} with (force)`);
  };
  return { db, url, readerUrl: ofDatabase(inject("readerUrl"), name), close };
}

async function onCluster(statement: string): Promise<void> {
  const cluster = openDatabase(inject("databaseUrl"), { max: 1 });
  try {
    await cluster.query(statement);
  } finally {
    await cluster.end();
  }
}

function ofDatabase(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}
