import { holdClient } from "./client.ts";
import type { Database, Queryable } from "./pool.ts";

/** How the sending of run events goes. */
export interface RunEventDelivery {
  readonly subscribers: readonly RunEventSubscriber[];
  /** Events that are to be sent, without those that are set aside. */
  readonly waiting: number;
  readonly oldestAt: Date | null;
  /** Events that the endpoint refused, and what it said last. */
  readonly refused: number;
  readonly lastRefusal: string | null;
  /** Ever. */
  readonly sent: number;
  readonly lastSentAt: Date | null;
  /** Tries that failed since something was sent. */
  readonly failures: number;
  readonly failingSince: Date | null;
  /** Of the last try; null where it went well. */
  readonly error: string | null;
}

export interface RunEventSubscriber {
  /** `host:folder`. */
  readonly home: string;
  /** Where to, without secrets. */
  readonly destination: string;
  /** When a worker of that home last looked for events to send. */
  readonly seenAt: Date;
}

export async function runEventDelivery(db: Queryable): Promise<RunEventDelivery> {
  const { rows } = await db.query<Omit<RunEventDelivery, "subscribers">>(
    `select
       (select count(*)::int from cf_run_event_outbox where refused_at is null) as waiting,
       (select min(occurred_at) from cf_run_event_outbox where refused_at is null) as "oldestAt",
       (select count(*)::int from cf_run_event_outbox where refused_at is not null) as refused,
       (select refusal from cf_run_event_outbox where refused_at is not null order by refused_at desc limit 1) as "lastRefusal",
       sent::float8, last_sent_at as "lastSentAt", failures, failing_since as "failingSince", error
     from cf_run_event_delivery`,
  );
  const { rows: subscribers } = await db.query<RunEventSubscriber>(
    `select home, destination, seen_at as "seenAt" from cf_run_event_subscriber order by home`,
  );
  return { ...rows[0]!, subscribers };
}

/** From now on events are recorded. Also says that the home still asks for them. */
export async function subscribe(db: Queryable, home: string, destination: string): Promise<void> {
  await db.query(
    `insert into cf_run_event_subscriber (home, destination) values ($1, $2)
     on conflict (home) do update set destination = excluded.destination, seen_at = now()`,
    [home, destination],
  );
}

/** Events are recorded no longer for this home; what waits is kept. Returns whether it had asked for them. */
export async function unsubscribe(db: Queryable, home: string): Promise<boolean> {
  const { rowCount } = await db.query("delete from cf_run_event_subscriber where home = $1", [home]);
  return rowCount === 1;
}

/** Whether there is something to send, and nobody asked for a pause after a failure. */
export async function isSendingDue(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ due: boolean }>(
    `select exists (select from cf_run_event_outbox where refused_at is null)
       and coalesce(retry_at <= now(), true) as due
     from cf_run_event_delivery`,
  );
  return rows[0]!.due;
}

const lockKey = "hashtext('casparian'), hashtext('run events')";

/** Does `work` on a connection that alone may send; nothing where another one does. The lock ends with the connection, so it outlives nobody. */
export function whileSending(db: Database, work: (db: Queryable) => Promise<void>): Promise<void> {
  return holdClient(db, async (held) => {
    const { client } = held;
    const { rows } = await client.query<{ taken: boolean }>(`select pg_try_advisory_lock(${lockKey}) as taken`);
    if (!rows[0]!.taken) return;
    try {
      await work(client);
    } finally {
      await client.query(`select pg_advisory_unlock(${lockKey})`).catch((error: Error) => (held.broken ??= error));
    }
  });
}

/** Events were taken by the endpoint: they leave the record. */
export async function recordSent(db: Queryable, ids: readonly string[]): Promise<void> {
  await db.query(
    `with sent as (delete from cf_run_event_outbox where id = any ($1::bigint[]) returning id)
     update cf_run_event_delivery
     set sent = sent + (select count(*) from sent), last_sent_at = now(), failures = 0, failing_since = null, error = null, retry_at = null`,
    [ids],
  );
}

/** The endpoint refuses this event for what it is: it is set aside, and keeps none of the others. */
export async function recordRefused(db: Queryable, id: string, refusal: string): Promise<void> {
  await db.query("update cf_run_event_outbox set refused_at = now(), refusal = $2 where id = $1", [id, refusal]);
}

/** An event at which the endpoint failed so often, while it took others, is set aside. */
const triesMax = 10;

/** The endpoint failed at these events and took others: one that it can't digest must not hold up the rest for ever. Returns how many were set aside. */
export async function recordTried(db: Queryable, ids: readonly string[], reason: string): Promise<number> {
  const { rows } = await db.query<{ isRefused: boolean }>(
    `update cf_run_event_outbox
     set tries = tries + 1, refused_at = case when tries + 1 >= $2::int then now() end,
       refusal = case when tries + 1 >= $2::int then $3 || ' (' || $2::int || ' times)' end
     where id = any ($1::bigint[]) returning refused_at is not null as "isRefused"`,
    [ids, triesMax, reason],
  );
  return rows.filter(({ isRefused }) => isRefused).length;
}

/** Not everything could be sent; nobody tries again for so many seconds. Returns how often in a row that has been. */
export async function recordFailure(db: Queryable, error: string, pauseSeconds: (failures: number) => number): Promise<number> {
  const { rows } = await db.query<{ failures: number }>(
    `update cf_run_event_delivery set failures = failures + 1, failing_since = coalesce(failing_since, now()), error = $1
     returning failures`,
    [error],
  );
  const { failures } = rows[0]!;
  await db.query("update cf_run_event_delivery set retry_at = now() + make_interval(secs => $1)", [pauseSeconds(failures)]);
  return failures;
}

/** Has what was set aside sent again, and the next try made at once. Returns how many. */
export async function retryRefused(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    "update cf_run_event_outbox set refused_at = null, refusal = null, tries = 0 where refused_at is not null",
  );
  await db.query("update cf_run_event_delivery set retry_at = null");
  return rowCount ?? 0;
}

/** Takes away homes that have not looked for so many seconds, and, where none is left, what waits. Returns how many events. */
export async function forgetSubscribers(db: Queryable, unseenSeconds: number): Promise<number> {
  await db.query("delete from cf_run_event_subscriber where seen_at < now() - make_interval(secs => $1)", [unseenSeconds]);
  const { rowCount } = await db.query("delete from cf_run_event_outbox where not exists (select from cf_run_event_subscriber)");
  await db.query(
    `update cf_run_event_delivery set failures = 0, failing_since = null, error = null, retry_at = null
     where not exists (select from cf_run_event_subscriber)`,
  );
  return rowCount ?? 0;
}
