import { benchContract } from "./contract.ts";
import { benchCsv } from "./csv.ts";
import { benchLargeFile } from "./large-file.ts";
import { benchLatency } from "./latency.ts";
import { formatFigure, type Figure } from "./figure.ts";
import { benchMssql } from "./mssql.ts";
import { benchPlugin } from "./plugin.ts";
import { benchParquet } from "./parquet.ts";
import { benchPostgres } from "./postgres.ts";
import { benchQuery } from "./query.ts";
import { benchSmallFiles } from "./small-files.ts";
import { benchMillion, benchScan } from "./scan.ts";
import { benchTransport } from "./transport.ts";
import { benchWatch } from "./watch.ts";

const benches: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  "small-files": benchSmallFiles,
  "large-file": benchLargeFile,
  plugin: benchPlugin,
  transport: benchTransport,
  parquet: benchParquet,
  contract: benchContract,
  postgres: benchPostgres,
  csv: benchCsv,
  mssql: benchMssql,
  query: benchQuery,
  latency: benchLatency,
  watch: benchWatch,
  scan: benchScan,
  million: benchMillion,
};
/** Takes long. */
const onlyWhenAsked = "million";

/** `npm run bench [-- NAME …]`: measures against real processes and prints each figure as it is known. Absolute times depend on the machine. */
const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(name in benches));
if (unknown !== undefined) {
  console.error(`unknown bench ${unknown}; there are ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : Object.keys(benches).filter((each) => each !== onlyWhenAsked)) {
  for (const figure of await benches[name]!()) console.log(formatFigure(figure));
}
