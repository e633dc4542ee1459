import { readFile } from "node:fs/promises";
import { messageOf } from "../../domain/failure.ts";
import type { ApiKeySource } from "../../domain/openlineage.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import { producer } from "./facet.ts";
import type { Answer, Destination, OutgoingEvent } from "./destination.ts";

const runsAtOnce = 8;
const requestMsMax = 15_000;
/** After so many events at which the endpoint failed it is left alone. */
const failedMax = 5;
const shownMax = 300;

/** Answers that speak of the event and not of the endpoint: the same event would be refused again, and another one might not. */
const refusals: readonly number[] = [400, 409, 413, 414, 422, 431];

/**
 * An endpoint that takes one event with each POST, as OpenLineage's API has it (`/api/v1/lineage`). Redirects are not followed, because the key
 * would go with them.
 */
export function httpDestination(url: string, apiKey: ApiKeySource | null, env: NodeJS.ProcessEnv = process.env): Destination {
  const name = safeUrl(url);
  return {
    name,
    async send(events, signal): Promise<Answer> {
      let key: string | null;
      try {
        key = await readKey(apiKey, env);
      } catch (error) {
        return {
          sent: [],
          refused: [],
          trouble: { message: `the API key for ${name}: ${messageOf(error)}`, pauseSeconds: null, failed: [] },
        };
      }
      return sendRuns(events, (json) => post({ url, name, key, json, signal }));
    },
  };
}

async function readKey(source: ApiKeySource | null, env: NodeJS.ProcessEnv): Promise<string | null> {
  if (source === null) return null;
  const key = "file" in source ? await readFile(source.file, "utf8") : env[source.environment];
  const trimmed = key?.trim() ?? "";
  if (trimmed === "")
    throw new Error("file" in source ? `${source.file} is empty` : `the environment variable ${source.environment} is not set`);
  return trimmed;
}

type Reply =
  | { readonly is: "taken" }
  | { readonly is: "refused"; readonly reason: string }
  | { readonly is: "trouble"; readonly message: string; readonly pauseSeconds: number | null; readonly ofEvent: boolean };

/** Several runs at once, the events of each one after the other. */
async function sendRuns(events: readonly OutgoingEvent[], send: (json: string) => Promise<Reply>): Promise<Answer> {
  const sent: string[] = [];
  const refused: { id: string; reason: string }[] = [];
  const failed: string[] = [];
  let trouble: { message: string; pauseSeconds: number | null } | null = null;
  let isOver = false;
  const runs = [...Map.groupBy(events, ({ run }) => run).values()].values();
  const lane = async (): Promise<void> => {
    for (const run of runs) {
      for (const { id, json } of run) {
        if (isOver) return;
        const reply = await send(json);
        if (reply.is === "taken") sent.push(id);
        else if (reply.is === "refused") refused.push({ id, reason: reply.reason });
        else {
          trouble ??= reply;
          if (reply.ofEvent) failed.push(id);
          isOver ||= !reply.ofEvent || failed.length >= failedMax;
          break;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: runsAtOnce }, lane));
  return { sent, refused, trouble: trouble === null ? null : { ...(trouble as { message: string; pauseSeconds: number | null }), failed } };
}

interface Post {
  readonly url: string;
  readonly name: string;
  readonly key: string | null;
  readonly json: string;
  readonly signal: AbortSignal;
}

async function post({ url, name, key, json, signal }: Post): Promise<Reply> {
  try {
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers: {
        "content-type": "application/json",
        "user-agent": producer,
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      },
      body: json,
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestMsMax)]),
    });
    const text = await response.text();
    if (response.ok) return { is: "taken" };
    const said = `${name} answers ${describeAnswer(response, text, key)}`;
    if (refusals.includes(response.status)) return { is: "refused", reason: said };
    return { is: "trouble", message: said, pauseSeconds: retryAfter(response), ofEvent: response.status >= 500 && response.status !== 503 };
  } catch (error) {
    return { is: "trouble", message: `${name} can't be reached: ${reasonOf(error)}`, pauseSeconds: null, ofEvent: false };
  }
}

/** What a person can use of an answer, without the key where the endpoint repeats it. */
function describeAnswer({ status, statusText, headers }: Response, text: string, key: string | null): string {
  const place = headers.get("location");
  const said = place === null ? text : `go to ${safeUrl(place)}`;
  const shown = (key === null ? said : said.replaceAll(key, "***")).replaceAll(/\s+/g, " ").trim().slice(0, shownMax);
  return `${status} ${statusText}`.trim() + (shown === "" ? "" : `: ${shown}`);
}

/** Seconds, at most an hour; null where it doesn't say. */
function retryAfter({ headers }: Response): number | null {
  const value = headers.get("retry-after");
  if (value === null) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? null : Math.min(3_600, Math.max(0, seconds));
}

/** `fetch` says only that it failed; its cause says why. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join(", ");
  return messageOf(cause);
}
