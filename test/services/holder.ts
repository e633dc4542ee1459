// A program that holds a home and writes its run file: `node holder.ts STATE_DIR`. It prints a line and stays until it is killed.
import { holdHome } from "../../services/home-lock.ts";
import { writeRunFile } from "../../services/run-file.ts";

const [stateDir = ""] = process.argv.slice(2);
await holdHome(stateDir, { command: "casparian start" });
await writeRunFile(stateDir, {
  pid: process.pid,
  startedAt: new Date().toISOString(),
  command: "casparian start",
  database: { url: "postgres://a", readerUrl: "postgres://b" },
  temporal: { address: "127.0.0.1:7233", namespace: "default", uiUrl: null },
});
console.log("holding");
setInterval(() => {}, 60_000);
