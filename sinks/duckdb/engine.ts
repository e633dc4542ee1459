import { DuckDBInstance, type DuckDBConnection, type DuckDBValue } from "@duckdb/node-api";

/** A database file that is open, and locked for as long: for others to write, and while it may be written here also for others to read. */
export interface Engine {
  readonly connection: DuckDBConnection;
  /** The rows of an answer. */
  rows<T extends readonly DuckDBValue[]>(sql: string, values?: DuckDBValue[]): Promise<readonly T[]>;
  /** How many rows a statement has changed. */
  change(sql: string, values?: DuckDBValue[]): Promise<number>;
  /** Gives the file back. */
  close(): void;
}

export interface EngineOptions {
  readonly path: string;
  readonly access: "read" | "write";
  /** A folder that is made where memory doesn't suffice. */
  readonly scratch: string;
}

/** A folder beside a staged file, which goes with it. */
export function scratchOf(staged: string): string {
  return `${staged}.tmp`;
}

/** Of each open file; what is more goes to the disk. */
const memoryMax = "512MB";
const threads = "2";

/** Throws what DuckDB says. */
export async function openEngine({ path, access, scratch }: EngineOptions): Promise<Engine> {
  const instance = await DuckDBInstance.create(path, {
    access_mode: access === "read" ? "READ_ONLY" : "READ_WRITE",
    threads,
    memory_limit: memoryMax,
    temp_directory: scratch,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
  });
  const connection = await instance.connect();
  return {
    connection,
    rows: async <T extends readonly DuckDBValue[]>(sql: string, values?: DuckDBValue[]) =>
      (await connection.runAndReadAll(sql, values)).getRows() as unknown as readonly T[],
    change: async (sql, values) => (await connection.run(sql, values)).rowsChanged,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
