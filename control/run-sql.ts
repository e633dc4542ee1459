import { openDatabase } from "../db/pool.ts";
import { queryReadOnly, type QueryResult } from "../db/read-only.ts";

export type { QueryResult } from "../db/read-only.ts";

/** Runs one statement on the record and changes nothing; as the auditors' user where `url` is theirs. Throws as `queryReadOnly` does. */
export async function runSql(url: string, text: string, signal?: AbortSignal): Promise<QueryResult> {
  const db = openDatabase(url, { max: 2, applicationName: "casparian sql" });
  try {
    return await queryReadOnly(db, text, signal);
  } finally {
    await db.end();
  }
}

/** A value as JSON has it: numbers where they are exact, documents, ISO 8601 times; everything else as the server prints it. */
export function jsonValue(value: string | null, typeOid: number): unknown {
  if (value === null) return null;
  switch (typeOid) {
    case oids.bool:
      return value === "t";
    case oids.int2:
    case oids.int4:
    case oids.oid:
      return Number(value);
    case oids.int8:
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case oids.float4:
    case oids.float8:
      return Number.isFinite(Number(value)) ? Number(value) : value;
    case oids.json:
    case oids.jsonb:
      return JSON.parse(value) as unknown;
    case oids.timestamptz:
      return value.replace(" ", "T").replace(/\+00$/, "Z");
    case oids.timestamp:
      return value.replace(" ", "T");
    default:
      return value;
  }
}

/** From pg_type: fixed for ever. */
const oids = {
  bool: 16,
  int8: 20,
  int2: 21,
  int4: 23,
  oid: 26,
  json: 114,
  float4: 700,
  float8: 701,
  timestamp: 1114,
  timestamptz: 1184,
  jsonb: 3802,
} as const;
