import { appendFile, copyFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

describe.each(["csv", "jsonl"] as const)("an output in %s", (scheme) => {
  const publish = (name: string, code: string, mode: "append" | "replace" | "overwrite" = "append") =>
    fixture.publish(name, `*.${name}`, code, { mode, uri: `${scheme}://output/${name}` });

  test("has the types of the record, and null beside the empty string", async () => {
    const name = `${scheme}typed`;
    const code = yielding(`D = decimal.Decimal
yield pa.table({
  "n": pa.array([2**64 - 1, None], pa.uint64()), "exact": pa.array([D("1.50"), D("-0.01")], pa.decimal128(20, 2)), "text": pa.array(["", None]), "007": ["007", "true"],
  "moment": pa.array([datetime.datetime(2026, 11, 21, 12, 0, 0, 123456, datetime.timezone.utc), None], pa.timestamp("us", "Europe/Berlin")),
  "bytes": pa.array([b"\\x00\\xff", None]), "tags": pa.array([["a", ""], None]), "s": pa.array([{"a": 2**60, "b": [1.5]}, None]), "nothing": pa.nulls(2),
  "x": [float("nan"), -0.5], "line": ['a,"b"\\r\\n', "=1+2"],
})`);
    await publish(name, code);
    await fixture.produce(`a.${name}`, "x");
    const columns = `n, exact, text, "007", moment, bytes, tags, s, nothing, x, line`;
    expect(await fixture.rows(`select ${columns} from ${name}`)).toEqual([
      {
        n: "18446744073709551615",
        exact: "1.50",
        text: "",
        "007": "007",
        moment: "2026-11-21T12:00:00.123456Z",
        bytes: "00ff",
        tags: ["a", ""],
        s: { a: "1152921504606846976", b: [1.5] },
        nothing: null,
        x: "NaN",
        line: 'a,"b"\r\n',
      },
      {
        n: null,
        exact: "-0.01",
        text: null,
        "007": "true",
        moment: null,
        bytes: null,
        tags: null,
        s: null,
        nothing: null,
        x: -0.5,
        line: "=1+2",
      },
    ]);
    expect(
      await fixture.rows(`select s -> 'a' as a, typeof(_cf_job_id) as job, typeof(_cf_processed_at) as at from ${name} limit 1`),
    ).toEqual([{ a: "1152921504606846976", job: "BIGINT", at: "TIMESTAMP WITH TIME ZONE" }]);
  });

  test("shows what is committed and current, and with --as-of what was then", async () => {
    const name = `${scheme}replace`;
    await publish(name, tablePlugin, "replace");
    await fixture.produce(`a.${name}`, "id\n1\n");
    const before = await fixture.committedLast();
    await fixture.produce(`b.${name}`, "id\n2\n");
    await fixture.produce(`a.${name}`, "id\n3\n4\n");
    await fixture.stage(`a.${name}`, "id\n5\n");
    const ids = async (...args: readonly string[]) =>
      (await fixture.rows<{ id: number }>(`select id from ${name} order by 1`, ...args)).map(({ id }) => id);
    expect(await ids()).toEqual([2, 3, 4]);
    expect(await ids("--as-of", before)).toEqual([1]);
    expect(await fixture.rows("--tables")).toEqual(
      expect.arrayContaining([expect.objectContaining({ plugin: name, files: 2, rows: 3, readElsewhere: null })]),
    );
  });

  test("is refused where a file is gone or was changed, and takes no file that the record doesn't know", async () => {
    const name = `${scheme}lost`;
    await publish(name, tablePlugin);
    const job = await fixture.produce(`a.${name}`, "id\n1\n");
    const folder = join(fixture.jobs.output, name);
    const path = join(
      folder,
      (await readdir(folder)).find((each) => each.endsWith(`.${scheme}`))!,
    );
    await copyFile(path, join(folder, `foreign.${scheme}`));
    expect(await fixture.rows(`select id from ${name}`)).toEqual([{ id: 1 }]);
    await appendFile(path, "\n");
    expect(failureOf(await fixture.query("query", `from ${name}`, "--json"))).toMatchObject({ code: "OUTPUT_CHANGED" });
    await rm(path);
    expect(failureOf(await fixture.query("query", `from ${name}`, "--json"))).toMatchObject({
      code: "OUTPUT_MISSING",
      message: expect.stringContaining(`job ${job}`) as string,
    });
  });
});

test("an output whose topic has moved from Parquet to CSV and on to JSON Lines is one view", async () => {
  const code = yielding(`yield pa.table({"n": pa.array([int(text)], pa.int32()), "day": pa.array([datetime.date(2026, 1, int(text))])})`);
  await fixture.publish("moving", "*.moving", code);
  await fixture.produce("1.moving", "1");
  await fixture.publish("moving", "*.moving", code, { uri: "csv://output/moving-csv" });
  await fixture.produce("2.moving", "2");
  await fixture.publish("moving", "*.moving", code, { uri: "jsonl://output/moving-jsonl" });
  await fixture.produce("3.moving", "3");
  expect(await fixture.rows("select n, day from moving order by n")).toEqual([1, 2, 3].map((n) => ({ n, day: `2026-01-0${n}` })));
  expect((await fixture.rows<{ plugin: string }>("--tables")).filter(({ plugin }) => plugin === "moving")).toHaveLength(3);
});
