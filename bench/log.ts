import type { Log } from "../domain/log.ts";

const quiet = (): void => {};

/** Says on stderr what goes wrong, and nothing else. */
export const benchLog: Log = { debug: quiet, info: quiet, warn: console.error, error: console.error };
