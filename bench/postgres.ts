import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { ArrowMessage } from "../domain/arrow.ts";
import { createPostgresSink } from "../sinks/postgres.ts";
import { readMessages } from "./arrow-file.ts";
import type { Figure } from "./figure.ts";
import { rows, writeLargeCsv } from "./large-file.ts";
import { arrowHandler } from "./samples.ts";
import { seconds } from "./seconds.ts";
import { startBenchSystem } from "./system.ts";
import { tradesRequest } from "./trades-request.ts";

const rounds = 3;

/**
 * Arrow batches of 2 million rows to a committed table, through the sink: the first result of a table, and a later one into a table that holds as
 * many rows. Beside it `COPY … from stdin (format csv)` of the same rows from a file into a new table, which is what psql's `\copy` does, without
 * and with the lineage columns that the sink adds. One server, the best of three rounds, taken in turn, each after a checkpoint.
 */
export async function benchPostgres(): Promise<readonly Figure[]> {
  await using system = await startBenchSystem();
  await system.db.query("create database bench");
  const url = Object.assign(new URL(system.db.options.connectionString!), { pathname: "/bench" }).href;
  const samples = await makeSamples(system);
  const client = new Client({ connectionString: url });
  await client.connect();

  const times = { first: [] as SinkTime[], later: [] as SinkTime[], plain: [] as number[], whole: [] as number[] };
  for (let round = 1; round <= rounds; round += 1) {
    await restore(client);
    times.first.push(await timeSink(url, samples.messages, lineage.jobId));
    await client.query("checkpoint");
    times.later.push(await timeSink(url, samples.messages, "12346"));
    await restore(client);
    times.plain.push(await timeCopy(client, samples.plain, columns));
    await restore(client);
    times.whole.push(await timeCopy(client, samples.whole, `${columns}, ${lineageColumns}`));
  }
  await client.end();
  const [plain, whole] = [Math.min(...times.plain), Math.min(...times.whole)];
  return [
    ...figures("a new table", times.first, { plain, whole }),
    ...figures("a table that holds as many", times.later, { plain, whole }),
  ];
}

function figures(
  target: string,
  times: readonly SinkTime[],
  { plain, whole }: { readonly plain: number; readonly whole: number },
): readonly Figure[] {
  const best = Math.min(...times.map((time) => time.whole));
  const staged = Math.min(...times.map((time) => time.staged));
  const perSecond = `${(rows / best / 1000).toFixed(0)},000 rows/s`;
  return [
    {
      name: `${rows / 1e6} million rows into ${target} of Postgres (${perSecond}; of that, until staged ${staged.toFixed(2)} s of ${best.toFixed(2)} s)`,
      value: plain / best,
      unit: `of the speed of COPY of the plugin's rows as CSV (${plain.toFixed(2)} s)`,
      target: 0.8,
    },
    {
      name: "the same",
      value: whole / best,
      unit: `of the speed of COPY of the table's rows, with lineage, as CSV (${whole.toFixed(2)} s)`,
    },
  ];
}

const columns = "id bigint, account text, symbol text, price double precision, quantity bigint, side text, traded_at timestamp, venue text";
const lineageColumns =
  "_cf_source_hash text not null, _cf_job_id bigint not null, _cf_file_version_id bigint not null, _cf_processed_at timestamptz not null, _cf_plugin_version text not null";
const lineage = {
  sourceHash: "a".repeat(64),
  jobId: "12345",
  fileVersionId: "12345",
  processedAt: new Date("2026-01-02T03:04:05.678Z"),
  pluginVersion: "trades@1.2.3",
};

interface Samples {
  readonly plain: string;
  /** With the lineage columns. */
  readonly whole: string;
  readonly messages: readonly ArrowMessage[];
}

async function makeSamples(system: Awaited<ReturnType<typeof startBenchSystem>>): Promise<Samples> {
  const inbox = join(system.home, "inbox");
  await mkdir(inbox);
  // A first file has the standard environment built, whose pyarrow makes the Arrow stream.
  await writeFile(join(system.home, "large.py"), arrowHandler);
  await writeFile(join(inbox, "warm.csv"), "a,b\n1,2\n");
  await system.casparian("plugin", "publish", join(system.home, "large.py"));
  await system.casparian("source", "add", "inbox", inbox, "--settle", "0");
  await system.casparian("rule", "add", "*.csv", "large");
  await system.casparian("scan", "inbox", "--wait");
  const [plain, whole, stream] = ["plain.csv", "whole.csv", "large.arrows"].map((name) => join(system.home, name)) as [
    string,
    string,
    string,
  ];
  await writeLargeCsv(plain, 1);
  await execa(await system.python(), ["-c", script, plain, whole, stream]);
  return { plain, whole, messages: await readMessages(stream) };
}

const script = `
import sys, pyarrow as pa
from pyarrow import csv
table = csv.read_csv(sys.argv[1])
with pa.OSFile(sys.argv[3], "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)
more = ",${lineage.sourceHash},${lineage.jobId},${lineage.fileVersionId},${lineage.processedAt.toISOString()},${lineage.pluginVersion}\\n"
with open(sys.argv[1]) as given, open(sys.argv[2], "w") as out:
    for line in given:
        out.write(line[:-1] + more)
`;

async function restore(client: Client): Promise<void> {
  await client.query("drop table if exists public.trades; drop table if exists public.copied");
  await client.query("checkpoint");
}

interface SinkTime {
  /** Seconds. */
  readonly staged: number;
  readonly whole: number;
}

async function timeSink(url: string, messages: readonly ArrowMessage[], jobId: string): Promise<SinkTime> {
  const address = new URL(url);
  process.env["PGPASSWORD"] = decodeURIComponent(address.password);
  address.password = "";
  const sink = createPostgresSink({});
  const [schema, ...batches] = messages;
  let staged = 0;
  const whole = await seconds(async () => {
    const began = performance.now();
    const request = tradesRequest(`${address.href}?table=public.trades`, schema!, { ...lineage, jobId });
    const writer = await sink.open({ ...request, artifactHash: jobId.padStart(64, "0") });
    for (const batch of batches) await writer.write(batch);
    const output = await writer.stage();
    staged = (performance.now() - began) / 1000;
    await sink.commit(output);
  });
  await sink.close();
  return { staged, whole };
}

function timeCopy(client: Client, path: string, table: string): Promise<number> {
  return seconds(async () => {
    await client.query(`create table public.copied (${table})`);
    await pipeline(
      createReadStream(path, { highWaterMark: 256 * 1024 }),
      client.query(copyFrom("copy public.copied from stdin (format csv, header)")),
    );
  });
}
