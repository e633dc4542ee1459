import { describeModes } from "./conformance-modes.ts";
import { describeSink } from "./conformance.ts";
import { openMssqlKind } from "./mssql-target.ts";

// Against a stub that has Postgres execute what it is sent (test/support/sql-server.ts): no SQL Server has seen this.
describeSink("mssql, against a stub,", () => openMssqlKind());
describeModes("mssql, against a stub,", () => openMssqlKind());
describeModes("mssql, against a stub, that keeps what is replaced,", () => openMssqlKind({ keeps: true }));
