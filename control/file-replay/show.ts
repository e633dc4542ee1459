import { countReplayJobs, type FileReplayCounts } from "../../db/file-replay-job.ts";
import { findFileReplay, listFileReplays as selectReplays, type FileReplay } from "../../db/file-replay.ts";
import { WrongUse } from "../../domain/failure.ts";
import type { ControlContext } from "../context.ts";
import { isId } from "../show-job.ts";

/** A replay and how far it is. */
export interface FileReplayStanding extends Omit<FileReplay, "locationAt" | "versionAt" | "untilVersion" | "pluginRejected"> {
  /** Jobs by state; WITHDRAWN ones were taken back when it was stopped, and come again when it goes on. */
  readonly jobs: FileReplayCounts;
  readonly ended: number;
  readonly open: number;
}

/** Throws WrongUse for an unknown one. */
export async function showFileReplay({ db }: ControlContext, id: string): Promise<FileReplayStanding> {
  const replay = isId(id) ? await findFileReplay(db, id) : null;
  if (replay === null) throw unknownReplay(id);
  return standing(replay, await countReplayJobs(db, id));
}

/** The newest first. */
export async function listFileReplays({ db }: ControlContext, limit: number): Promise<readonly FileReplayStanding[]> {
  const replays: FileReplayStanding[] = [];
  for (const replay of await selectReplays(db, limit)) replays.push(standing(replay, await countReplayJobs(db, replay.id)));
  return replays;
}

export function unknownReplay(id: string): WrongUse {
  return new WrongUse(`there is no replay ${id}`, "casparian replay list");
}

const openStates: ReadonlySet<string> = new Set(["QUEUED", "RUNNING", "HELD"]);

function standing(replay: FileReplay, jobs: FileReplayCounts): FileReplayStanding {
  const { locationAt: _, versionAt: __, untilVersion: ___, pluginRejected: ____, ...shown } = replay;
  const open = sum(jobs, (state) => openStates.has(state));
  return { ...shown, jobs, open, ended: sum(jobs, (state) => !openStates.has(state) && state !== "WITHDRAWN") };
}

function sum(jobs: FileReplayCounts, counts: (state: string) => boolean): number {
  return Object.entries(jobs).reduce((total, [state, n]) => (counts(state) ? total + n : total), 0);
}
