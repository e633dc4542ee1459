import { describeModes } from "./conformance-modes.ts";
import { describeSink } from "./conformance.ts";
import { openPostgresKind } from "./postgres-target.ts";

describeSink("postgres", () => openPostgresKind());
describeModes("postgres", () => openPostgresKind());
describeModes("postgres that keeps what is replaced", () => openPostgresKind({ keeps: true }));
