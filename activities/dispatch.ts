import type { Client } from "@temporalio/client";
import { defineSearchAttributeKey, SearchAttributeType } from "@temporalio/common";
import { claimOutbox, releaseOutbox, type OutboxRow } from "../db/outbox.ts";
import type { Database } from "../db/pool.ts";
import { messageOf, TransientFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import {
  fileVersionWorkflowId,
  pathAttribute,
  priorityKey,
  searchAttributes,
  signals,
  taskQueueOf,
  workflowTypes,
} from "../workflows/names.ts";
import { startOrSignal } from "./start-or-signal.ts";

/** Versions claimed at once. */
const passSize = 500;
/**
 * Workflows started and not yet planned. Temporal plans some 85 a second on a small machine, so none of them waits long enough to look
 * lost; the rest waits in the outbox, where waiting costs nothing.
 */
const startedMax = 1_000;
/** Starts under way at once. */
const concurrency = 16;

const belated: ReadonlySet<OutboxRow["reason"]> = new Set(["BACKFILL", "REPLAY"]);

export interface DispatchOptions {
  /** At most so many for each group of workers; as many as may be started ahead of their planning unless given. */
  readonly limit?: number;
  /** Ends it between two passes. */
  readonly signal?: AbortSignal;
}

export interface Dispatcher {
  /**
   * Starts the workflow of each version in the outbox that this process can have a part in, until none is left or enough are started; the
   * next call goes on. What is for other workers waits for them in the outbox, and takes nobody's place. Returns how many were started. May
   * run in several places at once. Throws TransientFailure DISPATCH_FAILED when Temporal refuses; the versions stay in the outbox.
   */
  readonly dispatch: (options?: DispatchOptions) => Promise<number>;
}

export interface DispatcherOptions {
  readonly db: Database;
  readonly client: Client;
  readonly log: Log;
  /** The groups of workers that this process belongs to, beside the one that every worker does. None unless given. */
  readonly groups?: readonly string[];
}

export function createDispatcher({ db, client, log, groups = [] }: DispatcherOptions): Dispatcher {
  return {
    async dispatch({ limit = startedMax, signal } = {}) {
      let started = 0;
      for (const workerGroup of [null, ...groups]) {
        const waiting = await startAll({ lost: false, limit, workerGroup, signal });
        const lost = await startAll({ lost: true, limit: limit - waiting, workerGroup, signal });
        if (lost > 0) log.warn("versions that were started and never planned are started again", { versions: lost, group: workerGroup });
        started += waiting + lost;
      }
      return started;
    },
  };

  async function startAll(pass: {
    readonly lost: boolean;
    readonly limit: number;
    readonly workerGroup: string | null;
    readonly signal: AbortSignal | undefined;
  }): Promise<number> {
    const { lost, workerGroup } = pass;
    let started = 0;
    while (started < pass.limit) {
      pass.signal?.throwIfAborted();
      const rows = await claimOutbox(db, { limit: Math.min(passSize, pass.limit - started), startedMax, lost, workerGroup });
      if (rows.length === 0) break;
      await startEach(rows);
      started += rows.length;
    }
    return started;
  }

  async function startEach(rows: readonly OutboxRow[]): Promise<void> {
    const queue = rows.values();
    const failed: { readonly row: OutboxRow; readonly error: unknown }[] = [];
    const lanes = Array.from({ length: Math.min(concurrency, rows.length) }, async () => {
      for (const row of queue) await start(row).catch((error: unknown) => failed.push({ row, error }));
    });
    await Promise.all(lanes);
    const [first] = failed;
    if (first === undefined) return;
    await releaseOutbox(
      db,
      failed.map(({ row }) => row.fileVersionId),
    );
    throw new TransientFailure({
      code: "DISPATCH_FAILED",
      message: `${failed.length} of ${rows.length} versions could not be started, first ${describe(first.row)}: ${messageOf(first.error)}`,
      hint: "They stay in the outbox and are started by a later dispatch; check that Temporal runs",
      cause: first.error,
    });
  }

  async function start(row: OutboxRow): Promise<void> {
    const options = {
      workflowId: fileVersionWorkflowId(row.fileVersionId),
      taskQueue: taskQueueOf(row.workerGroup),
      args: [{ fileVersionId: row.fileVersionId }],
      staticSummary: summarize(row),
      typedSearchAttributes: [
        { key: sourceKey, value: row.sourceName },
        { key: pathKey, value: pathAttribute(row.relPath) },
      ],
      // Sources of one priority share the workers evenly: one that drops a million files doesn't hold up the others.
      priority: { priorityKey: priorityKey(row.priority, { belated: belated.has(row.reason) }), fairnessKey: row.sourceName },
    };
    // One that runs has planned, perhaps, and must hear that there is more to do; of what is new it knows.
    const signal = row.reason === "NEW" ? null : { name: signals.replan, args: [] };
    await startOrSignal(client, { workflowType: workflowTypes.processFileVersion, options, signal });
  }
}

const sourceKey = defineSearchAttributeKey(searchAttributes.source, SearchAttributeType.KEYWORD);
const pathKey = defineSearchAttributeKey(searchAttributes.path, SearchAttributeType.KEYWORD);

function describe(row: OutboxRow): string {
  return `${row.sourceName}/${row.relPath} · version ${row.sequence}`;
}

/** Temporal takes 400 bytes, quotes and escapes included. */
function summarize(row: OutboxRow): string {
  let path = row.relPath;
  const text = (): string => describe({ ...row, relPath: path === row.relPath ? path : `…${path}` });
  while (Buffer.byteLength(JSON.stringify(text())) > 400) path = path.slice(Math.ceil(path.length / 8));
  return text();
}
