import { setTimeout } from "node:timers/promises";
import { insertAudit } from "../../db/audit.ts";
import { withdrawWaiting } from "../../db/file-replay-job.ts";
import { lockFileReplay, setFileReplayState, type FileReplay } from "../../db/file-replay.ts";
import { transaction, type Queryable } from "../../db/pool.ts";
import { WrongUse } from "../../domain/failure.ts";
import type { ControlContext } from "../context.ts";
import { showFileReplay, unknownReplay, type FileReplayStanding } from "./show.ts";
import { nudgeFileReplay, startFileReplay } from "./start.ts";
import { isId } from "../show-job.ts";

export interface SteeredReplay {
  readonly replay: FileReplayStanding;
  /** False where it was so already. */
  readonly changed: boolean;
}

/**
 * Has a replay hand out nothing more, and takes back what waits and has not begun; what runs goes on to its end. Throws WrongUse for an unknown replay and
 * for one that is complete.
 */
export async function stopFileReplay(context: ControlContext, id: string): Promise<SteeredReplay> {
  const changed = await steer(context, id, async (tx, replay) => {
    if (replay.state === "STOPPED") return false;
    if (replay.state === "COMPLETED") throw new WrongUse(`replay ${id} is complete`, "There is nothing to stop");
    await setFileReplayState(tx, id, "STOPPED");
    const withdrawn = await withdrawWaiting(tx, id);
    await insertAudit(tx, { ...about(context, replay), action: "replay.stop", detail: { replay: id, withdrawn } });
    return true;
  });
  if (changed && context.temporal !== null) await nudgeFileReplay(context.temporal, id);
  return { replay: await showFileReplay(context, id), changed };
}

/** Has a replay that was stopped go on where it was. Throws WrongUse for an unknown one, and for one that is complete or whose plugin was rejected. */
export async function resumeFileReplay(context: ControlContext, id: string): Promise<SteeredReplay> {
  const changed = await steer(context, id, async (tx, replay) => {
    if (replay.state === "RUNNING") return false;
    if (replay.state === "COMPLETED") throw new WrongUse(`replay ${id} is complete`, "casparian replay begins another one");
    if (replay.pluginRejected !== null)
      throw new WrongUse(
        `${replay.pluginName} ${replay.pluginVersion} was rejected: ${replay.pluginRejected}`,
        "What is rejected never runs again; replay another version",
      );
    await setFileReplayState(tx, id, "RUNNING");
    await insertAudit(tx, { ...about(context, replay), action: "replay.resume", detail: { replay: id } });
    return true;
  });
  if (context.temporal !== null) await startFileReplay(context.temporal, id);
  return { replay: await showFileReplay(context, id), changed };
}

function steer({ db }: ControlContext, id: string, change: (tx: Queryable, replay: FileReplay) => Promise<boolean>): Promise<boolean> {
  return transaction(db, async (tx) => {
    const replay = isId(id) ? await lockFileReplay(tx, id) : null;
    if (replay === null) throw unknownReplay(id);
    return change(tx, replay);
  });
}

function about({ actor }: ControlContext, { pluginName, pluginVersion }: FileReplay): { readonly actor: string; readonly subject: string } {
  return { actor, subject: `${pluginName}@${pluginVersion}` };
}

const pollMs = 300;

/** Resolves when it is complete, or stopped and nothing of it runs. Throws the signal's reason. */
export async function waitForReplay(
  context: ControlContext,
  id: string,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (replay: FileReplayStanding) => void },
): Promise<FileReplayStanding> {
  for (;;) {
    const replay = await showFileReplay(context, id);
    onProgress(replay);
    if (replay.state !== "RUNNING" && replay.open === 0) return replay;
    await setTimeout(pollMs, undefined, { signal });
  }
}
