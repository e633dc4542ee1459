import { forgetSubscribers, retryRefused, runEventDelivery, type RunEventDelivery } from "../../db/run-event-delivery.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "events";

/** A worker says each minute that it is there. Seconds. */
const quietAfterSeconds = 300;
const forgottenAfterSeconds = 86_400;

/** Do OpenLineage events arrive, where somebody asks for them? */
export async function checkRunEvents({ db, fix }: Patient): Promise<readonly Diagnosis[]> {
  const before = await runEventDelivery(db);
  if (before.subscribers.length === 0 && before.waiting + before.refused === 0) return [];
  const mended = fix ? await mend(db, before) : [];
  const delivery = mended.length === 0 ? before : await runEventDelivery(db);
  const found = [...mended, ...troubleOf(delivery), ...refusedOf(delivery), ...unsentOf(delivery), ...splitOf(delivery)];
  if (found.length > 0) return found;
  const last = delivery.lastSentAt === null ? "none so far" : `${delivery.sent} so far, the last at ${delivery.lastSentAt.toISOString()}`;
  return [{ subject, severity: "ok", message: `OpenLineage events are sent to ${placesOf(delivery)}: ${last}`, hint: null }];
}

async function mend(db: Patient["db"], { refused }: RunEventDelivery): Promise<readonly Diagnosis[]> {
  const found: Diagnosis[] = [];
  const forgotten = await forgetSubscribers(db, forgottenAfterSeconds);
  if (forgotten > 0) found.push(info(`mended: OpenLineage events that nobody asks for any more were removed: ${forgotten}`));
  if (forgotten === 0 && refused > 0) {
    found.push(info(`mended: OpenLineage events that had been refused are sent again: ${await retryRefused(db)}`));
  }
  return found;
}

function info(message: string): Diagnosis {
  return { subject, severity: "info", message, hint: null };
}

function troubleOf({ error, failures, failingSince, waiting, oldestAt }: RunEventDelivery): readonly Diagnosis[] {
  if (error === null) return [];
  const since = `failed tries: ${failures}, since ${failingSince!.toISOString()}`;
  const message = `${error}; ${since}; OpenLineage events that wait: ${waiting}${oldest(oldestAt)}`;
  return [
    {
      subject,
      severity: "error",
      message,
      hint: "Nothing is lost: they are sent as soon as it takes them. See [openlineage] in casparian.toml",
    },
  ];
}

function refusedOf({ refused, lastRefusal }: RunEventDelivery): readonly Diagnosis[] {
  if (refused === 0) return [];
  const message = `OpenLineage events that were refused and are set aside: ${refused}; the last one: ${lastRefusal}`;
  return [
    {
      subject,
      severity: "warning",
      message,
      hint: "Once the endpoint takes such events: casparian doctor --fix, which has them sent again",
    },
  ];
}

/** Events wait, and nobody is there to send them. */
function unsentOf({ error, subscribers, waiting, oldestAt }: RunEventDelivery): readonly Diagnosis[] {
  const isQuiet = subscribers.every(({ seenAt }) => seenAt.getTime() < Date.now() - quietAfterSeconds * 1_000);
  if (error !== null || waiting === 0 || !isQuiet) return [];
  const message = `OpenLineage events that wait: ${waiting}${oldest(oldestAt)}; no worker runs that sends them`;
  const asking = subscribers.map(({ home }) => home).join(", ");
  const hint =
    subscribers.length === 0
      ? "Set [openlineage] in casparian.toml and start, or casparian doctor --fix, which removes them"
      : `They were asked for by ${asking}: casparian start there, with [openlineage] or without`;
  return [{ subject, severity: "warning", message, hint }];
}

/** Whichever home's worker is free sends, to its own place. */
function splitOf(delivery: RunEventDelivery): readonly Diagnosis[] {
  const { subscribers } = delivery;
  if (new Set(subscribers.map(({ destination }) => destination)).size < 2) return [];
  const homes = subscribers.map(({ home, destination }) => `${home} to ${destination}`).join(", ");
  const message = `OpenLineage events go to several places, each one to one of them only: ${homes}`;
  return [{ subject, severity: "warning", message, hint: "Give all of them the same [openlineage] url in casparian.toml" }];
}

function oldest(at: Date | null): string {
  return at === null ? "" : `, the oldest since ${at.toISOString()}`;
}

function placesOf({ subscribers }: RunEventDelivery): string {
  return [...new Set(subscribers.map(({ destination }) => destination))].join(", ");
}
