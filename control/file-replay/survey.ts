import { backlogVersions } from "../../db/backlog.ts";
import { jobStates } from "../../db/file-replay-job.ts";
import type { FileReplayScope } from "../../db/file-replay.ts";
import type { Queryable } from "../../db/pool.ts";
import { standingBeside } from "../../db/result.ts";
import { listRules } from "../../db/routing-rule.ts";
import { topicsOf } from "../../db/topic.ts";
import { hasResult } from "../../domain/file-replay.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import { defaultTopic, type SinkMode } from "../../domain/topic.ts";
import { createChoice } from "../../domain/version-choice.ts";
import { targetUri } from "../../sinks/tables/keep.ts";

/** What a replay would do. */
export interface ReplaySurvey {
  /** Versions on record that are meant, by what they had of the artifact: nothing; a job that waits or runs; one that ended without a result; a result. */
  readonly fresh: number;
  readonly waiting: number;
  readonly again: number;
  readonly had: number;
  /** Jobs that it would have, of the first three; `--limit` may make it fewer. */
  readonly jobs: number;
  readonly bytes: number;
  readonly examples: readonly string[];
  /** Outputs of which rows of another version of the plugin are there, whose place the new ones wouldn't take. */
  readonly beside: readonly OutputBeside[];
}

export interface OutputBeside {
  readonly output: string;
  /** Without secrets. */
  readonly uri: string;
  /** `append`: both would stand there; `error`: the jobs would fail. */
  readonly mode: Extract<SinkMode, "append" | "error">;
  readonly versions: number;
}

const pageFiles = 5_000;
const examplesMax = 3;

type Counts = { fresh: number; waiting: number; again: number; had: number; bytes: number };

/** Goes through all that is on record, page by page. */
export async function surveyReplay(
  db: Queryable,
  scope: FileReplayScope,
  { signal, onProgress }: { readonly signal?: AbortSignal | undefined; readonly onProgress?: ((filesSeen: number) => void) | undefined },
): Promise<ReplaySurvey> {
  const { pluginId, pluginName, pattern, sourceId, since, allVersions, versionsMax } = scope;
  const isMeant = createChoice(await listRules(db), { pluginName, on: pattern });
  const besideOf = await createBeside(db, pluginName);
  const counts: Counts = { fresh: 0, waiting: 0, again: 0, had: 0, bytes: 0 };
  const limit = versionsMax ?? Number.POSITIVE_INFINITY;
  const examples: string[] = [];
  let [jobs, filesSeen] = [0, 0];
  for (let afterId = "0"; jobs < limit;) {
    signal?.throwIfAborted();
    const page = await backlogVersions(db, {
      sourceIds: sourceId === null ? null : [sourceId],
      since,
      allVersions,
      afterId,
      limit: pageFiles,
    });
    if (page.length === 0) break;
    const meant = page.filter(({ path, sourceId: of }) => isMeant(path, of));
    const states = await jobStates(
      db,
      meant.map(({ versionId }) => versionId),
      pluginId,
    );
    const chosen: string[] = [];
    for (const { versionId, path, sizeBytes } of meant) {
      if (jobs >= limit) break;
      const state = states.get(versionId) ?? null;
      count(counts, state);
      if (hasResult(state)) continue;
      jobs += 1;
      counts.bytes += sizeBytes;
      chosen.push(versionId);
      if (examples.length < examplesMax) examples.push(path);
    }
    await besideOf.add(chosen, pluginId);
    afterId = page.at(-1)!.locationId;
    filesSeen += new Set(page.map(({ locationId }) => locationId)).size;
    onProgress?.(filesSeen);
  }
  return { ...counts, jobs, examples, beside: besideOf.found() };
}

function count(counts: Counts, state: string | null): void {
  if (state === null) counts.fresh += 1;
  else if (hasResult(state)) counts.had += 1;
  else if (state === "QUEUED" || state === "RUNNING" || state === "HELD") counts.waiting += 1;
  else counts.again += 1;
}

/** Which outputs' rows of other versions of the plugin would stay where the new ones go. */
async function createBeside(db: Queryable, pluginName: string) {
  const topics = await topicsOf(db, pluginName);
  const found = new Map<string, OutputBeside>();
  return {
    async add(versionIds: readonly string[], pluginId: string): Promise<void> {
      for (const { output, uri, versions } of await standingBeside(db, versionIds, { pluginName, pluginId })) {
        const topic = topics.get(output) ?? defaultTopic(output);
        if (targetUri(topic.uri) !== uri || topic.mode === "replace" || topic.mode === "overwrite") continue;
        const known = found.get(output)?.versions ?? 0;
        found.set(output, { output, uri: safeUrl(topic.uri), mode: topic.mode, versions: known + versions });
      }
    },
    found: () => [...found.values()],
  };
}
