import { Connection, Request, type BulkLoad, type ConnectionConfiguration } from "tedious";

/** One connection to a server; one thing is done at a time. Errors are the driver's. */
export interface Session {
  /** Runs a batch of T-SQL; its rows, each as the values of its columns in order. The driver gives `bigint` as text. */
  query(sql: string): Promise<readonly (readonly unknown[])[]>;
  /**
   * The same with each row as it comes. Where `onRow` gives a promise, no more rows are taken until it is fulfilled; what it throws ends the
   * session.
   */
  stream(sql: string, onRow: (row: readonly unknown[]) => Promise<void> | undefined): Promise<void>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  /** Loads rows into a table; `setUp` adds the columns. Returns how many the server says it has taken. */
  load(table: string, setUp: (load: BulkLoad) => void, rows: AsyncIterable<readonly unknown[]>): Promise<number>;
  /** Ends it at once, and with it a transaction that was not committed. */
  close(): void;
}

/** Logs in. */
export async function openSession(login: ConnectionConfiguration): Promise<Session> {
  const connection = new Connection(login);
  // A connection that breaks says so here, and again to whoever waits or asks next.
  connection.on("error", () => {});
  // The message of a login that was refused comes without its number.
  let refusal: number | undefined;
  connection.on("errorMessage", ({ number }) => void (refusal = number));
  await settled((done) => connection.connect(done)).catch((error: Error) => {
    connection.close();
    throw refusal === undefined ? error : Object.assign(error, { number: refusal });
  });
  return {
    query(sql) {
      const rows: unknown[][] = [];
      return settled((done) => {
        const request = new Request(sql, (error) => done(error));
        request.on("row", (columns: readonly { readonly value: unknown }[]) => void rows.push(columns.map(({ value }) => value)));
        connection.execSqlBatch(request);
      }).then(() => rows);
    },
    stream: (sql, onRow) => streamRows(connection, sql, onRow),
    begin: () => settled((done) => connection.beginTransaction((error) => done(error))),
    commit: () => settled((done) => connection.commitTransaction((error) => done(error))),
    load: (table, setUp, rows) =>
      settled<number>((done) => {
        const load = connection.newBulkLoad(table, { keepNulls: true, lockTable: true }, (error, count) => done(error, count));
        setUp(load);
        connection.execBulkLoad(load, rows as AsyncIterable<unknown[]>);
      }),
    close: () => connection.close(),
  };
}

function streamRows(connection: Connection, sql: string, onRow: Parameters<Session["stream"]>[1]): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      reject(error);
      connection.close();
    };
    const request = new Request(sql, (error) => (error == null ? resolve() : reject(error)));
    request.on("row", (columns: readonly { readonly value: unknown }[]) => {
      try {
        const waiting = onRow(columns.map(({ value }) => value));
        if (waiting === undefined) return;
        request.pause();
        waiting.then(() => request.resume(), fail);
      } catch (error) {
        fail(error);
      }
    });
    connection.execSqlBatch(request);
  });
}

function settled<T = void>(start: (done: (error?: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error == null ? resolve(value as T) : reject(error)));
  });
}
