import { createPluginPool, type PluginRun } from "../../bridge/pool.ts";
import { quietLog } from "../support/quiet-log.ts";

/** Run as a program: makes a pool and runs the plugin that its argument describes, until it is killed. */
const request = JSON.parse(process.argv[2] ?? "") as Omit<PluginRun, "signal">;
const pool = createPluginPool({ log: quietLog });
await pool.run({ ...request, signal: new AbortController().signal }, { open: async () => {}, message: async () => {} });
