import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { mssqlAddress } from "../../sinks/mssql/address.ts";
import { createMssqlSink } from "../../sinks/mssql.ts";
import type { Sink } from "../../sinks/sink.ts";
import type { Step } from "../support/sql-server.ts";
import { numbers } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { failureOf } from "./failure-of.ts";
import { connectionUrl, openMssqlKind, password, type MssqlKind } from "./mssql-target.ts";

// Against a stub that has Postgres execute what it is sent (test/support/sql-server.ts): no SQL Server has seen this.
let kind: MssqlKind;
let sink: Sink;
let uri: string;
beforeAll(async () => {
  kind = await openMssqlKind();
  sink = createMssqlSink(kind);
});
beforeEach(() => {
  uri = kind.newUri();
});
afterEach(() => {
  kind.server.interfere = () => undefined;
});
afterAll(() => kind.close());

describe("the URI", () => {
  test.each([
    ["mssql://trades", "mssql", "dbo", "trades"],
    ["mssql://books.trades", "mssql", "books", "trades"],
    ["mssql://books.trades?connection=erp", "erp", "books", "trades"],
    ["mssql://a%2Eb", "mssql", "dbo", "a.b"],
  ])("%s is at connection %s the table %s.%s", (given, connection, schema, name) => {
    expect(mssqlAddress(given)).toEqual({ connection, table: { schema, name } });
  });

  test.each([
    "mssql://host:1433/books",
    "mssql://sink:secret@host/books?table=trades",
    "mssql://a.b.c",
    "mssql://a.",
    "mssql://trades?connection=1",
    "mssql://trades?table=x",
    `mssql://${"x".repeat(129)}`,
    "mssql://%zz",
  ])("%s is refused with what to write", async (given) => {
    const failure = await failureOf(stageIn(sink, given, numbers(1)));
    expect(failure).toMatchObject({ code: "SINK_URI", hint: expect.stringContaining("mssql://schema.table?connection=NAME") });
    expect(failure.message).not.toContain("secret");
  });

  test("a connection that nobody has configured is told by name", async () => {
    const failure = await failureOf(stageIn(sink, "mssql://trades?connection=erp", numbers(1)));
    expect(failure).toMatchObject({ code: "CONNECTION_UNKNOWN", message: expect.stringContaining('"erp"') });
  });
});

describe("the connection", () => {
  const urls: readonly (readonly [url: string, why: string])[] = [
    ["postgres://user@host/books", "it is no URL that begins with mssql://"],
    ["mssql://host/books", "it names no user"],
    ["mssql://user@host/books?encrypt=maybe", 'encrypt is "maybe"'],
    ["mssql://user@host/books?ssl=true", 'it has an unknown parameter "ssl"'],
  ];
  test.each(urls)("%s is refused: %s", async (url, why) => {
    const connections = { names: [], find: (name: string) => ({ name, url, password: null }) };
    const failure = await failureOf(stageIn(createMssqlSink({ connections }), uri, numbers(1)));
    expect(failure).toMatchObject({
      code: "CONNECTION_URL",
      message: expect.stringContaining(why),
      hint: expect.stringContaining("encrypt=true"),
    });
  });

  test("user, password and database reach the server, and the password nothing else", async () => {
    const logins: Step[] = [];
    kind.server.interfere = (step) => void (step.kind === "login" && logins.push(step));
    const staged = await stageIn(sink, uri, numbers(1));
    expect(logins[0]).toEqual({ kind: "login", user: "sink", database: "books" });
    expect(JSON.stringify(staged)).not.toContain(password);
    await sink.discard(staged);
  });

  test("a wrong password is refused in the server's words, without it", async () => {
    const found = kind.connections.find("mssql");
    const connections = { names: [], find: () => ({ ...found, password: "wrong one" }) };
    const failure = await failureOf(stageIn(createMssqlSink({ connections }), uri, numbers(1)));
    expect(failure).toBeInstanceOf(TerminalFailure);
    expect(failure).toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("Login failed for user 'sink'.") });
    expect(failure.hint).toContain("password_env");
    expect(failure.message).not.toContain("wrong one");
  });

  test("a server that is not there can't be reached for now", async () => {
    const url = new URL(connectionUrl(kind.server));
    url.password = "";
    url.port = "1";
    const connections = { names: [], find: (name: string) => ({ name, url: url.href, password }) };
    const failure = await failureOf(stageIn(createMssqlSink({ connections }), uri, numbers(1)));
    expect(failure).toBeInstanceOf(TransientFailure);
    expect(failure).toMatchObject({ code: "SINK_UNREACHABLE", message: expect.stringContaining("127.0.0.1:1") });
  });
});
