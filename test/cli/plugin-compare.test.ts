import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { activateArtifact } from "../../db/plugin.ts";
import { transaction } from "../../db/pool.ts";
import { commandOn } from "../support/command.ts";
import { environmentRoot } from "../support/environment-root.ts";
import { createJobFixture } from "../support/job-fixture.ts";
import { testTools } from "../support/tools.ts";

const fixture = await createJobFixture();
afterAll(() => fixture[Symbol.asyncDispose]());
const { db } = fixture.database;
const casparian = commandOn(fixture.folder, fixture.database.url);

const code = (price: string) => `import csv

class Handler:
    def execute(self, path):
        yield [{"id": int(row["id"]), "price": ${price}} for row in csv.DictReader(open(path))]
`;

test("a version is compared, and activated with what was found, which plugin show says", async () => {
  await mkdir(join(fixture.folder, ".casparian"));
  await symlink(environmentRoot, join(fixture.folder, ".casparian/environments"));
  const settings = `[python]\ninterpreter = "${testTools().python}"\n[plugins]\nrequire_comparison = true\n`;
  await writeFile(join(fixture.folder, "casparian.toml"), settings);
  const first = await fixture.publish("trades", code('int(row["price"])'), "*.csv");
  await fixture.publish("trades", code('int(row["price"]) if row["id"] != "2" else 0'), "*.csv");
  await transaction(db, (tx) => activateArtifact(tx, "trades", first));
  await fixture.record("a.csv", "id,price\n1,5\n2,7\n");
  await fixture.record("b.csv", "id,price\n1,5\n");

  const same = await casparian("plugin", "compare", "trades@2", "--on", "b.csv", "--json");
  expect([same.exitCode, JSON.parse(same.stdout)]).toMatchObject([0, { verdict: "SAME", filesCompared: 1, after: { version: "2" } }]);
  const compared = await casparian("plugin", "compare", "trades@2", "--key", "id");
  expect(compared.exitCode).toBe(1);
  expect(compared.stdout).toMatch(/^different +a\.csv \(version 1\): trades: 1 changed\n/);
  expect(compared.stdout).toContain("trades: before 3 rows, after 3 rows: 2 same, 1 changed");
  expect(compared.stdout).toContain("~ row 2 of a.csv: id=2, price=7 → 0");
  expect(compared.stdout).toContain("Next: casparian plugin activate trades@2 --accept-differences");

  const activated = await casparian("plugin", "activate", "trades@2", "--accept-differences");
  expect(activated.stdout).toContain("Promoted with comparison 2: different on 1 of 2 files\n");
  const shown = await casparian("plugin", "show", "trades");
  expect(shown.stdout).toContain("in the place of 1; comparison 2: different on 1 of 2 files, accepted\n");
}, 120_000);
