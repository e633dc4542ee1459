import { insertAudit } from "../db/audit.ts";
import { backlogVersions, type BacklogVersion } from "../db/backlog.ts";
import { advanceFileReplay, lockFileReplay, setFileReplayState, type FileReplay } from "../db/file-replay.ts";
import { countWithdrawn, handOutVersions, jobStates, settleReplayJobs, takeWithdrawn } from "../db/file-replay-job.ts";
import { transaction, type Database, type Queryable } from "../db/pool.ts";
import { listRules } from "../db/routing-rule.ts";
import { hasResult, type FileReplayProgress } from "../domain/file-replay.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { createChoice } from "../domain/version-choice.ts";
import type { Dispatcher } from "./dispatch.ts";
import { withTemporalFailures } from "./failure.ts";

export interface ReplayStep extends FileReplayProgress {
  /** `clean 2`. */
  readonly plugin: string;
  /** When to look again. */
  readonly nextInMs: number;
}

export interface ReplayFilesDependencies {
  readonly db: Database;
  readonly log: Log;
  readonly dispatch: Dispatcher["dispatch"];
}

export type ReplayFilesActivities = ReturnType<typeof createReplayFilesActivities>;

/** While jobs end, and while they take their time. */
const busyMs = 500;
const quietMs = 2_000;
/** Files looked at in one step at most, so that it stays a short one; the next step goes on. */
const pageFiles = 2_000;
const pagesMax = 5;

export function createReplayFilesActivities({ db, log, dispatch }: ReplayFilesDependencies) {
  return withTemporalFailures({
    /** Notes which jobs of a replay have ended, and gives it as many new ones as may be under way. It is one transaction, and may be repeated. */
    async handOut({ replayId }: { readonly replayId: string }): Promise<ReplayStep> {
      const { step, offered } = await transaction(db, (tx) => takeStep(tx, replayId, log));
      if (offered > 0) await dispatch({ limit: offered });
      return step;
    },
  });
}

interface Taken {
  readonly step: ReplayStep;
  readonly offered: number;
}

async function takeStep(tx: Queryable, replayId: string, log: Log): Promise<Taken> {
  const replay = await lockFileReplay(tx, replayId);
  if (replay === null)
    throw new TerminalFailure({
      code: "UNKNOWN_REPLAY",
      message: `replay ${replayId} is not in the record`,
      hint: "This workflow was started for another database; terminate it",
    });
  const { settled, open } = await settleReplayJobs(tx, replayId);
  if (replay.state !== "RUNNING") return { step: stepOf(replay, open, quietMs), offered: 0 };
  if (replay.pluginRejected !== null) {
    await setFileReplayState(
      tx,
      replayId,
      "STOPPED",
      `${replay.pluginName} ${replay.pluginVersion} was rejected: ${replay.pluginRejected}`,
    );
    return { step: stepOf({ ...replay, state: "STOPPED" }, open, quietMs), offered: 0 };
  }
  const room = Math.max(0, replay.atOnce - open);
  const again = room === 0 ? [] : await takeWithdrawn(tx, replayId, room);
  const found =
    room > again.length ? await findNext(tx, replay, room - again.length) : { ...standsStill(replay), versions: [], isLast: false };
  const versions = [...again, ...found.versions];
  if (versions.length > 0) await handOutVersions(tx, replay, versions);
  const advanced = {
    ...replay,
    ...found.position,
    handedOut: replay.handedOut + found.versions.length,
    skipped: replay.skipped + found.skipped,
  };
  await advanceFileReplay(tx, replayId, advanced);
  const isDone = found.isLast && versions.length === 0 && open === 0 && (await countWithdrawn(tx, replayId)) === 0;
  if (isDone) await complete(tx, advanced, log);
  // Nothing was found and not all was looked at: go on at once.
  const nextInMs = versions.length > 0 || settled > 0 || (room > 0 && !found.isLast) ? busyMs : quietMs;
  return {
    step: stepOf({ ...advanced, state: isDone ? "COMPLETED" : "RUNNING" }, open + versions.length, nextInMs),
    offered: versions.length,
  };
}

async function complete(tx: Queryable, { id, pluginName, pluginVersion, actor, handedOut, skipped }: FileReplay, log: Log): Promise<void> {
  await setFileReplayState(tx, id, "COMPLETED");
  const detail = { replay: id, jobs: handedOut, skipped };
  await insertAudit(tx, { actor, action: "replay.complete", subject: `${pluginName}@${pluginVersion}`, detail });
  log.info(`replay ${id} of ${pluginName} ${pluginVersion} is complete`, { jobs: handedOut, skipped });
}

function stepOf(replay: FileReplay, open: number, nextInMs: number): ReplayStep {
  const { state, expected, handedOut, skipped, pluginName, pluginVersion } = replay;
  return { state, expected, handedOut, skipped, open, plugin: `${pluginName} ${pluginVersion}`, nextInMs };
}

interface Found {
  readonly versions: readonly string[];
  readonly skipped: number;
  /** Up to where the record was looked at. */
  readonly position: Pick<FileReplay, "locationAt" | "versionAt">;
  /** Whether there is nothing beyond. */
  readonly isLast: boolean;
}

function standsStill({ locationAt, versionAt }: FileReplay): Pick<Found, "skipped" | "position"> {
  return { skipped: 0, position: { locationAt, versionAt } };
}

/** The next versions without a result of the artifact, `room` at most. */
async function findNext(tx: Queryable, replay: FileReplay, room: number): Promise<Found> {
  const isMeant = createChoice(await listRules(tx), { pluginName: replay.pluginName, on: replay.pattern });
  const wanted = Math.min(room, (replay.versionsMax ?? Number.POSITIVE_INFINITY) - replay.handedOut);
  const versions: string[] = [];
  let { skipped, position } = standsStill(replay);
  for (let page = 0; page < pagesMax; page += 1) {
    if (wanted <= versions.length) return { versions, skipped, position, isLast: wanted <= 0 };
    const rows = await nextPage(tx, replay, position);
    const states = await jobStates(
      tx,
      rows.filter((row) => isMeant(row.path, row.sourceId)).map((row) => row.versionId),
      replay.pluginId,
    );
    for (const { versionId, locationId } of rows) {
      if (versions.length >= wanted) break;
      const state = states.get(versionId);
      if (state !== undefined && hasResult(state)) skipped += 1;
      else if (state !== undefined) versions.push(versionId);
      position = { locationAt: locationId, versionAt: versionId };
    }
    if (rows.length === 0) return { versions, skipped, position, isLast: true };
  }
  return { versions, skipped, position, isLast: false };
}

/** What is on record beyond a position, and was when the replay was asked for. */
async function nextPage(
  tx: Queryable,
  { sourceId, since, allVersions, untilVersion }: FileReplay,
  { locationAt, versionAt }: Found["position"],
): Promise<readonly BacklogVersion[]> {
  const sourceIds = sourceId === null ? null : [sourceId];
  // The file of the position itself may have later versions that are still to come.
  for (let afterId = String(BigInt(locationAt) - 1n); ;) {
    const rows = await backlogVersions(tx, { sourceIds, since, allVersions, afterId, limit: pageFiles });
    if (rows.length === 0) return [];
    const beyond = rows.filter(({ locationId, versionId }) => {
      return BigInt(versionId) <= BigInt(untilVersion) && (locationId !== locationAt || BigInt(versionId) > BigInt(versionAt));
    });
    if (beyond.length > 0) return beyond;
    afterId = rows.at(-1)!.locationId;
  }
}
