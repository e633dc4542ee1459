import { parentPort } from "node:worker_threads";
import { TerminalFailure } from "../domain/failure.ts";
import { hashTasks } from "./hash.ts";
import { chunksAheadMax, type ThreadJob, type ThreadOrder, type ThreadReply } from "./threads.ts";
import { walk } from "./walk.ts";

/** What runs in a scout thread: one order after the other, each a synchronous generator whose values are the order's chunks. */
parentPort?.on("message", ({ job, ahead }: ThreadOrder) => {
  try {
    const work = start(job);
    let step = work.next();
    while (step.done !== true) {
      waitForRoom(ahead);
      reply({ kind: "chunk", value: step.value });
      step = work.next();
    }
    reply({ kind: "end", value: step.value });
  } catch (error) {
    const terminal = error instanceof TerminalFailure ? { code: error.code, message: error.message, hint: error.hint } : null;
    reply({ kind: "failed", terminal, error });
  }
});

function start(job: ThreadJob): Generator<unknown, unknown> {
  return job.kind === "walk" ? walk(job.request) : hashTasks(job.tasks);
}

/** Back-pressure: the thread sleeps while too many of its chunks have not been taken. */
function waitForRoom(ahead: Int32Array): void {
  Atomics.add(ahead, 0, 1);
  for (let count = Atomics.load(ahead, 0); count > chunksAheadMax; count = Atomics.load(ahead, 0)) Atomics.wait(ahead, 0, count);
}

function reply(message: ThreadReply): void {
  parentPort?.postMessage(message, []);
}
