import type { Client } from "@temporalio/client";
import type { Database } from "../../db/pool.ts";
import { messageOf, TerminalFailure } from "../../domain/failure.ts";
import { workflowTypes } from "../../workflows/names.ts";
import { differences } from "./compare.ts";
import { wishedSchedules, type ScheduleWish } from "./wish.ts";

/** A schedule that is not as the record asks for it. */
export interface ScheduleTrouble {
  readonly id: string;
  /** `the schedule of inbox differs: times`; without a full stop. */
  readonly message: string;
  /**
   * Makes it so. May be repeated, and done in several places at once. Throws TerminalFailure SCHEDULE_REFUSED with Temporal's words. Null
   * where only a person can mend it.
   */
  readonly mend: (() => Promise<void>) | null;
}

export interface ScheduleSurvey {
  /** How many there are to be. */
  readonly wished: number;
  readonly troubles: readonly ScheduleTrouble[];
  /** For the next survey: what is wished, by id; with how it was asked for where it was found so. */
  readonly known: ReadonlyMap<string, string>;
}

/** Compares the schedules in Temporal with the record; only those that the record asks for in another way than `known`, where it is given. */
export async function surveySchedules(
  { db, temporal }: { readonly db: Database; readonly temporal: Client },
  known: ReadonlyMap<string, string> | null = null,
): Promise<ScheduleSurvey> {
  // Before the record is read: whoever has made one since has put its source on record first.
  const there = known === null ? await listOwn(temporal) : [...known.keys()];
  const { wishes, refused } = await wishedSchedules(db);
  const ids = new Set(wishes.map((wish) => wish.scheduleId));
  const troubles: ScheduleTrouble[] = refused.map(({ source, reason }) => ({
    id: source,
    message: `source ${source} can't have a schedule: ${reason}`,
    mend: null,
  }));
  for (const id of there) if (!ids.has(id)) troubles.push(orphan(temporal, id));
  const looked = new Map<string, string>();
  for (const wish of wishes) {
    const fingerprint = JSON.stringify(wish);
    const trouble = known?.get(wish.scheduleId) === fingerprint ? null : await examine(temporal, wish);
    if (trouble !== null) troubles.push(trouble);
    // Also what is to be mended, so that it is missed where its source goes meanwhile.
    looked.set(wish.scheduleId, trouble === null ? fingerprint : "");
  }
  return { wished: wishes.length, troubles, known: looked };
}

/** The schedules that are ours by what they start; a namespace may hold others' as well. */
async function listOwn(client: Client): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { scheduleId, action } of client.schedule.list()) {
    if (action?.workflowType === workflowTypes.requestScan) ids.push(scheduleId);
  }
  return ids;
}

async function examine(client: Client, wish: ScheduleWish): Promise<ScheduleTrouble | null> {
  const { source, scheduleId: id } = wish;
  const found = await ifThere(client.schedule.getHandle(id).describe());
  const mend = () => inTemporalsWords(source, () => apply(client, wish));
  if (found === null) return { id, message: `source ${source} has no schedule`, mend };
  const differing = differences(wish, found);
  return differing.length === 0 ? null : { id, message: `the schedule of source ${source} differs: ${differing.join(", ")}`, mend };
}

async function apply(client: Client, wish: ScheduleWish): Promise<void> {
  const { source: _, ...options } = wish;
  const handle = client.schedule.getHandle(wish.scheduleId);
  if ((await ifThere(handle.update(() => options).then(() => true))) !== null) return;
  const { ScheduleAlreadyRunning } = await import("@temporalio/client");
  await client.schedule.create(options).catch((error: unknown) => {
    // Another process was faster; where it knew less, the next survey sees it.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  });
}

function orphan(client: Client, id: string): ScheduleTrouble {
  return {
    id,
    message: `the schedule ${id} belongs to no source that is scanned at times`,
    mend: async () => void (await ifThere(client.schedule.getHandle(id).delete())),
  };
}

/** Null for a schedule that is not there. */
async function ifThere<T>(asking: Promise<T>): Promise<T | null> {
  try {
    return await asking;
  } catch (error) {
    const { ScheduleNotFoundError } = await import("@temporalio/client");
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

/** gRPC's INVALID_ARGUMENT, from its specification. */
const invalidArgument = 3;

async function inTemporalsWords(source: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reason = refusalOf(error);
    if (reason === null) throw error;
    throw new TerminalFailure({
      code: "SCHEDULE_REFUSED",
      message: `Temporal refuses the schedule of source ${source}: ${reason}`,
      hint: `casparian source set ${source} --every 5m`,
      cause: error,
    });
  }
}

/** Temporal's words where it was asked for what it doesn't take; null for any other failure. */
function refusalOf(error: unknown): string | null {
  // What the client makes of a refused spec; of any other argument it makes a ServiceError.
  if (error instanceof TypeError) return error.message;
  const cause = error instanceof Error ? (error.cause as { code?: number; details?: string } | undefined) : undefined;
  return cause?.code === invalidArgument ? (cause.details ?? messageOf(error)) : null;
}
