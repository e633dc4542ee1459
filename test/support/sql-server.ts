import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { messageOf } from "../../domain/failure.ts";
import { createBulkDecoder, type BulkDecoder, type BulkValue } from "./tds/bulk.ts";
import { createEmptyEngine, openEngine, type Copy, type Engine } from "./tds/engine.ts";
import { packetsOf, reply, type Packet } from "./tds/packets.ts";
import { done, errorToken, loginAck, preloginAnswer, resultTokens, transactionBegun, transactionEnded } from "./tds/tokens.ts";

/**
 * A stub of SQL Server. It speaks the wire protocol TDS 7.4 without encryption, and has Postgres execute the statements that the sink uses
 * (`tds/translate.ts`): a transaction there is a transaction here. What it shows is that our side of the protocol, the order of our statements
 * and their transactions are right. It does not show that a SQL Server takes our T-SQL.
 */
export interface SqlServerStub {
  readonly port: number;
  /** Asked before each step of each session; what it returns happens in the place of the step. */
  interfere: (step: Step) => Interference | undefined;
  /** Told of each bulk load as it goes. */
  onRows: (columns: BulkDecoder["columns"], rows: readonly (readonly BulkValue[])[]) => void;
  close(): Promise<void>;
}

export type Step =
  | { readonly kind: "login"; readonly user: string; readonly database: string }
  | { readonly kind: "statement"; readonly sql: string }
  | { readonly kind: "rows"; readonly table: string }
  | { readonly kind: "begin" }
  | { readonly kind: "commit" };

/** An error of the server's, a lost connection, or one that is lost when the step is done and before that is told. */
export type Interference = { readonly number: number; readonly message: string } | "cut" | "cut after";

export interface StubOptions {
  /** Of the database that executes the statements; null for none, where results are staged and never committed. */
  readonly databaseUrl: string | null;
  readonly password: string;
  /** Whether rows of bulk loads are only counted: then a staging table stays empty and says that it is not. */
  readonly discardsRows?: boolean;
}

export async function startSqlServer(options: StubOptions): Promise<SqlServerStub> {
  const sockets = new Set<Socket>();
  const sessions = new Set<Promise<void>>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const session = serve(socket, options, stub).finally(() => {
      sockets.delete(socket);
      sessions.delete(session);
      socket.destroy();
    });
    sessions.add(session);
    session.catch(() => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stub: SqlServerStub = {
    port: (server.address() as AddressInfo).port,
    interfere: () => undefined,
    onRows: () => {},
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await Promise.allSettled(sessions);
    },
  };
  return stub;
}

const packetTypes = { batch: 0x01, attention: 0x06, bulk: 0x07, transaction: 0x0e, login: 0x10, prelogin: 0x12 } as const;

async function serve(socket: Socket, options: StubOptions, stub: SqlServerStub): Promise<void> {
  let engine: Engine | null = null;
  let bulkInto: string | null = null;
  let transactions = 0n;
  const discarded = new Map<string, number>();
  /** What the step answers, or what happens in its place. */
  const take = async (step: Step, work: () => Promise<Buffer>): Promise<void> => {
    const interference = stub.interfere(step);
    if (interference === "cut") return void socket.destroy();
    if (typeof interference === "object") return reply(socket, refusal(interference.number, interference.message));
    try {
      const answer = await work();
      if (interference === "cut after") socket.destroy();
      else reply(socket, answer);
    } catch (error) {
      reply(socket, refusal(numberOf(error), messageOf(error)));
    }
  };
  const message = async (type: number, body: Buffer, isIgnored: boolean): Promise<void> => {
    if (type === packetTypes.prelogin) return reply(socket, preloginAnswer);
    if (type === packetTypes.attention) return reply(socket, done(0n, { isAttention: true }));
    if (type === packetTypes.login) {
      const login = readLogin(body);
      return take({ kind: "login", user: login.user, database: login.database }, async () => {
        if (login.password !== options.password) return refusal(18_456, `Login failed for user '${login.user}'.`);
        engine = options.databaseUrl === null ? createEmptyEngine() : await openEngine(options.databaseUrl);
        return Buffer.concat([loginAck(), done()]);
      });
    }
    if (isIgnored) return reply(socket, done());
    if (type === packetTypes.batch) {
      const sql = body.subarray(body.readUInt32LE(0)).toString("utf16le");
      return take({ kind: "statement", sql }, async () => {
        const counted = /^select count_big\(\*\) from \[_casparian\]\.\[(\w+)\];$/.exec(sql)?.[1];
        const count = counted === undefined ? undefined : discarded.get(`"_casparian"."${counted}"`);
        if (count !== undefined) return Buffer.concat([resultTokens({ columns: ["bigint"], rows: [[count]] }), done(1n)]);
        const outcome = await engine!.run(sql);
        ({ bulkInto } = outcome);
        return Buffer.concat([outcome.result === null ? Buffer.alloc(0) : resultTokens(outcome.result), done(BigInt(outcome.rowCount))]);
      });
    }
    if (type !== packetTypes.transaction) throw new Error(`a message of type 0x${type.toString(16)}`);
    const request = body.readUInt16LE(body.readUInt32LE(0));
    return take({ kind: request === 5 ? "begin" : "commit" }, async () => {
      if (request === 5) {
        await engine!.begin();
        transactions += 1n;
        return Buffer.concat([transactionBegun(transactions), done()]);
      }
      await (request === 7 ? engine!.commit() : engine!.rollback());
      return Buffer.concat([transactionEnded(transactions, request === 7 ? "committed" : "rolled back"), done()]);
    });
  };
  /** Rows of a load go on to Postgres as they come. */
  const bulk = async (first: Packet, packets: AsyncGenerator<Packet, void>): Promise<void> => {
    const table = bulkInto!;
    const decoder = createBulkDecoder();
    let [count, isIgnored, failure] = [0, false, undefined as Interference | undefined];
    let copy: Copy | null = null;
    for (let packet = first; ; packet = (await packets.next()).value as Packet) {
      if (packet === undefined) return;
      const rows = decoder.push(packet.body, packet.isLast);
      failure ??= rows.length > 0 ? stub.interfere({ kind: "rows", table }) : undefined;
      if (failure === "cut") return void socket.destroy();
      stub.onRows(decoder.columns, rows);
      if (options.discardsRows !== true && failure === undefined) await (copy ??= await engine!.copyInto(table)).rows(rows);
      count += rows.length;
      isIgnored = packet.isIgnored;
      if (packet.isLast) break;
    }
    await take({ kind: "statement", sql: "-- end of the bulk load" }, async () => {
      await copy?.end();
      if (options.discardsRows === true) discarded.set(table, count);
      if (typeof failure === "object") return refusal(failure.number, failure.message);
      if (isIgnored) return done();
      if (!decoder.isComplete()) return refusal(4804, "Premature end-of-message while reading current row from host.");
      return done(BigInt(count));
    });
  };

  try {
    const packets = packetsOf(socket);
    let parts: Buffer[] = [];
    for (let next = await packets.next(); next.done !== true; next = await packets.next()) {
      const packet = next.value;
      if (packet.type === packetTypes.bulk) {
        await bulk(packet, packets);
        continue;
      }
      parts.push(packet.body);
      if (!packet.isLast) continue;
      const body = Buffer.concat(parts);
      parts = [];
      await message(packet.type, body, packet.isIgnored);
    }
  } finally {
    // What was not committed ends with the session.
    await (engine as Engine | null)?.close();
  }
}

function refusal(number: number, message: string): Buffer {
  return Buffer.concat([errorToken(number, message), done(0n, { isError: true })]);
}

/** SQL Server's numbers for what Postgres refuses in the tests. */
function numberOf(error: unknown): number {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return (
    (
      { "42P01": 208, "3F000": 2760, "42701": 2705, "42P07": 2714, "40P01": 1205, "23502": 515, "23505": 2627 } as Readonly<
        Record<string, number>
      >
    )[code] ?? 50_000
  );
}

/** Source: MS-TDS, LOGIN7. The password is scrambled, each byte by itself. */
function readLogin(body: Buffer): { readonly user: string; readonly password: string; readonly database: string } {
  const bytesAt = (at: number): Buffer => body.subarray(body.readUInt16LE(at), body.readUInt16LE(at) + 2 * body.readUInt16LE(at + 2));
  const password = bytesAt(44).map((byte) => {
    const swapped = byte ^ 0xa5;
    return ((swapped & 0x0f) << 4) | (swapped >> 4);
  });
  return {
    user: bytesAt(40).toString("utf16le"),
    password: Buffer.from(password).toString("utf16le"),
    database: bytesAt(68).toString("utf16le"),
  };
}
