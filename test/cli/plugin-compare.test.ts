import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { activateArtifact } from "../../db/plugin.ts";
import { transaction } from "../../db/pool.ts";
import type { ComparisonRow } from "../../db/comparison.ts";
import { commandOn, failureOf } from "../support/command.ts";
import { environmentRoot } from "../support/environment-root.ts";
import { createJobFixture } from "../support/job-fixture.ts";
import { testTools } from "../support/tools.ts";

const fixture = await createJobFixture();
afterAll(() => fixture[Symbol.asyncDispose]());
const { db } = fixture.database;
const casparian = commandOn(fixture.folder, fixture.database.url);

const code = (price: string) => `import pandas as pd

class Handler:
    def execute(self, path):
        df = pd.read_csv(path)
        yield df.assign(price=${price})
`;

test("a version is compared, looked at, and activated with its proof, which the policy asks for", async () => {
  await mkdir(join(fixture.folder, ".casparian"));
  await symlink(environmentRoot, join(fixture.folder, ".casparian/environments"));
  const settings = `[python]\ninterpreter = "${testTools().python}"\n[plugins]\nrequire_comparison = true\n`;
  await writeFile(join(fixture.folder, "casparian.toml"), settings);
  const first = await fixture.publish("trades", code("df.price"), "*.csv");
  await fixture.publish("trades", code("df.price.where(df.id != 2, 0)"), "*.csv");
  await transaction(db, (tx) => activateArtifact(tx, "trades", first));
  await fixture.record("a.csv", "id,price\n1,5\n2,7\n");
  await fixture.record("b.csv", "id,price\n1,5\n");

  const refused = await casparian("plugin", "activate", "trades@2", "--json");
  expect(failureOf(refused)).toMatchObject({ code: "PROOF_MISSING", hint: "casparian plugin compare trades@2 --against 1" });

  const compared = await casparian("plugin", "compare", "trades@2", "--key", "id", "--json");
  const report = JSON.parse(compared.stdout) as ComparisonRow;
  expect([compared.exitCode, report.verdict, report.filesCompared, report.filesDifferent]).toEqual([1, "DIFFERENT", 2, 1]);
  const page = (await casparian("plugin", "comparison", report.id)).stdout;
  expect(page).toContain("trades: before 3 rows, after 3 rows: 2 same, 1 changed");
  expect(page).toContain("~ row 2 of a.csv: id=2, price=7 → 0");
  expect(page).toMatch(/different +a\.csv \(version 1\): trades: 1 changed\n/);

  const activated = await casparian("plugin", "activate", "trades@2", "--accept-differences");
  expect(activated.stdout).toContain(`Promoted with comparison ${report.id}: different on 1 of 2 files`);
  expect((await casparian("plugin", "show", "trades")).stdout).toMatch(
    new RegExp(`in the place of 1; comparison ${report.id}: different on 1 of 2 files, accepted\n`),
  );
  expect((await casparian("plugin", "compare", "trades@1", "--on", "b.csv")).exitCode).toBe(0);
}, 60_000);
