/** A system that dies at once and stops well, in a process with a thread that never ends. */
import { Worker } from "node:worker_threads";
import { runUntilStopped } from "../../cli/run-until-stopped.ts";
import { createTerminal } from "../../cli/terminal.ts";
import { messageOf } from "../../domain/failure.ts";

const left = new Worker("setInterval(() => {}, 1_000)", { eval: true });
left.ref();
const system = { died: Promise.resolve("the database ended"), stop: () => Promise.resolve() };
try {
  await runUntilStopped(system, { terminal: createTerminal({ json: false }), signal: new AbortController().signal });
} catch (error) {
  console.log(`stopped: ${messageOf(error)}`);
  process.exitCode = 3;
}
