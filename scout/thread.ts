import { parentPort } from "node:worker_threads";
import { TerminalFailure } from "../domain/failure.ts";
import { listMembers } from "./list-members.ts";
import { createCopies } from "../snapshots/copies.ts";
import { hashTasks } from "./hash.ts";
import { chunksAheadMax, type ThreadJob, type ThreadOrder, type ThreadReply } from "./threads.ts";
import { walk } from "./walk.ts";

/** What runs in a scout thread: one order after the other, each a generator whose values are the order's chunks. */
parentPort?.on("message", (order: ThreadOrder) => void obey(order));

async function obey({ job, ahead }: ThreadOrder): Promise<void> {
  try {
    const work = start(job);
    let step = await work.next();
    while (step.done !== true) {
      waitForRoom(ahead);
      reply({ kind: "chunk", value: step.value });
      step = await work.next();
    }
    reply({ kind: "end", value: step.value });
  } catch (error) {
    const terminal = error instanceof TerminalFailure ? { code: error.code, message: error.message, hint: error.hint } : null;
    reply({ kind: "failed", terminal, error });
  }
}

function start(job: ThreadJob): Generator<unknown, unknown> | AsyncGenerator<unknown, unknown> {
  if (job.kind === "walk") return walk(job.request);
  if (job.kind === "members") return listMembers(job.request);
  return hashTasks(job.tasks, job.copyTo === null ? undefined : createCopies(job.copyTo));
}

/** Back-pressure: the thread sleeps while too many of its chunks have not been taken. */
function waitForRoom(ahead: Int32Array): void {
  Atomics.add(ahead, 0, 1);
  for (let count = Atomics.load(ahead, 0); count > chunksAheadMax; count = Atomics.load(ahead, 0)) Atomics.wait(ahead, 0, count);
}

function reply(message: ThreadReply): void {
  parentPort?.postMessage(message, []);
}
