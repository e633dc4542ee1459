import { describeModes } from "./conformance-modes.ts";
import { describeSink } from "./conformance.ts";
import { openDuckdbKind } from "./duckdb-target.ts";

describeSink("duckdb", () => openDuckdbKind());
describeModes("duckdb", () => openDuckdbKind());
describeModes("duckdb that keeps what is replaced", () => openDuckdbKind({ keeps: true }));
