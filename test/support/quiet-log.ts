import type { Log } from "../../domain/log.ts";

/** Says nothing. */
export const quietLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
