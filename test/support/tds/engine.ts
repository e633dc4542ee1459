import { once } from "node:events";
import { finished } from "node:stream/promises";
import { Client, types } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { BulkValue } from "./bulk.ts";
import type { ResultSet } from "./tokens.ts";
import { translate } from "./translate.ts";

/** What a statement came to. */
export interface Outcome {
  readonly result: ResultSet | null;
  readonly rowCount: number;
  /** The table that the bulk load which follows goes to; null unless this was an `insert bulk`. */
  readonly bulkInto: string | null;
}

/** A session's statements, run by Postgres. */
export interface Engine {
  run(sql: string): Promise<Outcome>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Where the rows of a bulk load go. */
  copyInto(table: string): Promise<Copy>;
  close(): Promise<void>;
}

export interface Copy {
  rows(rows: readonly (readonly BulkValue[])[]): Promise<void>;
  end(): Promise<void>;
}

export async function openEngine(databaseUrl: string): Promise<Engine> {
  const client = new Client({ connectionString: databaseUrl, application_name: "sql server stub" });
  client.on("error", () => {});
  await client.connect();
  let isInTransaction = false;
  const nothing = { result: null, rowCount: 0, bulkInto: null };
  const run = async (sql: string): Promise<Outcome> => {
    const translated = translate(sql);
    switch (translated.kind) {
      case "bulk":
        return { ...nothing, bulkInto: translated.table };
      case "lock":
        if (!isInTransaction) throw new Error("sp_getapplock: there is no transaction");
        await client.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [translated.resource]);
        return { ...nothing, result: { columns: ["int"], rows: [[0]] } };
      case "columns of":
        return { ...nothing, result: await columnsOf(client, translated.table) };
      case "row count": {
        const { rowCount } = await client.query(translated.sql);
        return { ...nothing, result: { columns: ["bigint"], rows: [[rowCount ?? 0]] } };
      }
      case "rows":
        return { ...nothing, ...(await rowsOf(client, translated.sql)) };
    }
  };
  return {
    run,
    async begin() {
      await client.query("begin isolation level read committed");
      isInTransaction = true;
    },
    async commit() {
      const { command } = await client.query("commit");
      isInTransaction = false;
      if (command === "ROLLBACK") throw new Error("the current transaction cannot be committed");
    },
    async rollback() {
      await client.query("rollback");
      isInTransaction = false;
    },
    async copyInto(table) {
      const stream = client.query(copyFrom(`copy ${table} from stdin`));
      // A failure is told by the end.
      const end = finished(stream);
      end.catch(() => {});
      return {
        async rows(rows) {
          if (rows.length === 0) return;
          const block = rows.map((row) => `${row.map(copyText).join("\t")}\n`).join("");
          if (!stream.write(block)) await Promise.race([once(stream, "drain"), end]);
        },
        async end() {
          stream.end();
          await end;
        },
      };
    },
    close: () => client.end(),
  };
}

/** For a stub that keeps nothing: the schema `_casparian` is there, no table is, and statements without an answer just succeed. */
export function createEmptyEngine(): Engine {
  const nothing = { result: null, rowCount: 0, bulkInto: null };
  return {
    async run(sql) {
      const translated = translate(sql);
      if (translated.kind === "bulk") return { ...nothing, bulkInto: translated.table };
      if (translated.kind === "lock") return { ...nothing, result: { columns: ["int"], rows: [[0]] } };
      if (sql.includes("case when")) return { ...nothing, result: { columns: ["int", "int"], rows: [[null, 0]] } };
      return sql.startsWith("select object_id(") ? { ...nothing, result: { columns: ["int"], rows: [[1]] } } : nothing;
    },
    begin: async () => {},
    commit: async () => {},
    rollback: async () => {},
    copyInto: async () => ({ rows: async () => {}, end: async () => {} }),
    close: async () => {},
  };
}

async function rowsOf(client: Client, sql: string): Promise<{ readonly result: ResultSet | null; readonly rowCount: number }> {
  const answer = await client.query<(string | number | null)[]>({ text: sql, rowMode: "array" });
  // Several statements at once give several answers, none of them with rows.
  const last = Array.isArray(answer) ? answer[answer.length - 1]! : answer;
  const { INT4, INT8, FLOAT4, FLOAT8 } = types.builtins;
  const kinds: Readonly<Record<number, ResultSet["columns"][number]>> = {
    [INT4]: "int",
    [INT8]: "bigint",
    [FLOAT4]: "real",
    [FLOAT8]: "float",
  };
  const columns = last.fields.map(({ dataTypeID }: { readonly dataTypeID: number }) => kinds[dataTypeID] ?? ("nvarchar" as const));
  return { result: columns.length === 0 ? null : { columns, rows: last.rows }, rowCount: last.rowCount ?? 0 };
}

/** As `sys.columns` has them, out of the comments that hold the types. */
async function columnsOf(client: Client, table: string): Promise<ResultSet> {
  const { rows } = await client.query<{ name: string; type: string; isRequired: boolean }>(
    `select attname as name, coalesce(col_description(attrelid, attnum), format_type(atttypid, atttypmod)) as type,
       attnotnull and not atthasdef as "isRequired"
     from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [table],
  );
  return {
    columns: ["nvarchar", "nvarchar", "int", "int", "int", "int"],
    rows: rows.map(({ name, type, isRequired }) => {
      const [, base = "", first, second] = /^(\w+)(?:\((\w+)(?:,(\d+))?\))?$/.exec(type)!;
      const isTime = /^(time|datetime2|datetimeoffset)$/.test(base);
      const unit = base.startsWith("n") ? 2 : 1;
      const length = first === "max" ? -1 : /char|binary/.test(base) ? Number(first) * unit : 8;
      const precision = base === "decimal" ? Number(first) : base === "float" ? 53 : 0;
      return [name, base, length, precision, isTime ? Number(first) : Number(second ?? 0), Number(isRequired)];
    }),
  };
}

function copyText(value: BulkValue): string {
  if (value === null) return String.raw`\N`;
  if (Buffer.isBuffer(value)) return String.raw`\\x${value.toString("hex")}`;
  if (typeof value !== "string") return Object.is(value, -0) ? "-0" : String(value);
  return value.replaceAll(/[\\\t\n\r]/g, (special) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" })[special]!);
}
