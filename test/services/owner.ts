// A program that owns services and is then treated badly: `node owner.ts STATE_DIR [leave]`.
// It prints one JSON line when everything runs, and stays until it is killed; with `leave` it ends without stopping anything.
import { holdHome } from "../../services/home-lock.ts";
import { startPostgres } from "../../services/postgres.ts";
import { startTemporal } from "../../services/temporal.ts";

const [stateDir = "", binary = "", manner] = process.argv.slice(2);
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
await holdHome(stateDir, { command: "owner" });
const [postgres, temporal] = await Promise.all([startPostgres({ stateDir, log }), startTemporal({ stateDir, binary, log })]);
console.log(
  JSON.stringify({ postgres: { pid: postgres.pid, url: postgres.url }, temporal: { pid: temporal.pid, address: temporal.address } }),
);
if (manner !== "leave") setInterval(() => {}, 60_000);
