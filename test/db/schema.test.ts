import { afterAll, expect, test } from "vitest";
import { dumpSchema } from "../../db/dump.ts";
import { emptyDatabase, testDatabase } from "../support/database.ts";

const migrated = await testDatabase();
const fresh = await emptyDatabase();
afterAll(() => Promise.all([migrated.close(), fresh.close()]));

// `npm run schema` writes it.
test("db/schema.sql is the schema that the migrations make", async () => {
  await expect(await dumpSchema(migrated.db)).toMatchFileSnapshot("../../db/schema.sql");
});

test("db/schema.sql makes the same schema in an empty database", async () => {
  const schema = await dumpSchema(migrated.db);
  await fresh.db.query(schema);
  expect(await dumpSchema(fresh.db)).toBe(schema);
});
