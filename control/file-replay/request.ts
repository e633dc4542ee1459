import { insertAudit } from "../../db/audit.ts";
import { insertFileReplay, lastVersionId, type FileReplayScope } from "../../db/file-replay.ts";
import { transaction } from "../../db/pool.ts";
import { WrongUse } from "../../domain/failure.ts";
import { requireGlob } from "../choose-versions.ts";
import type { ControlContext } from "../context.ts";
import { findPluginVersion } from "../find-plugin.ts";
import { findSource } from "../find-source.ts";
import { parsePluginReference } from "../plugin-reference.ts";
import { refuseRejected } from "../reject-plugin.ts";
import { showFileReplay, type FileReplayStanding } from "./show.ts";
import { startFileReplay } from "./start.ts";
import { surveyReplay, type ReplaySurvey } from "./survey.ts";

export interface ReplayRequest {
  /** `clean@2`; without a version the active one. */
  readonly plugin: string;
  /** A glob; what the plugin's rules take unless given. */
  readonly on?: string | undefined;
  readonly source?: string | undefined;
  readonly since?: Date | undefined;
  readonly allVersions: boolean;
  readonly limit?: number | undefined;
  /** Jobs under way at once. */
  readonly atOnce: number;
  /** Whether rows of two versions may stand beside each other. */
  readonly beside: boolean;
}

export interface RequestedReplay {
  readonly plugin: string;
  readonly version: string;
  readonly survey: ReplaySurvey;
  /** Null where it was only tried, or there is nothing to do. */
  readonly replay: FileReplayStanding | null;
}

export interface ReplayOptions {
  /** Whether it is begun, or only told. */
  readonly insert: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((filesSeen: number) => void) | undefined;
}

/**
 * Has versions on record processed by one artifact, whichever version is active, a few at a time and behind all that is new. Results take the place of
 * earlier ones by the topics' modes. Throws WrongUse for what is not on record or rejected, and where rows would stand beside those of
 * another version without anybody having said so.
 */
export async function replayFiles(context: ControlContext, request: ReplayRequest, options: ReplayOptions): Promise<RequestedReplay> {
  const { db, actor, temporal } = context;
  const { name, version } = parsePluginReference(request.plugin);
  const plugin = await findPluginVersion(db, name, version);
  refuseRejected(plugin);
  const { on = null, source, since = null, allVersions, limit = null, atOnce } = request;
  requireGlob(on);
  const sourceId = source === undefined ? null : (await findSource(db, source)).id;
  const scope: FileReplayScope = {
    ...{ pluginId: plugin.id, pluginName: plugin.name, pattern: on, sourceId, since, allVersions, versionsMax: limit },
  };
  const untilVersion = await lastVersionId(db);
  const survey = await surveyReplay(db, scope, options);
  const told = { plugin: plugin.name, version: plugin.version, survey };
  if (!options.insert) return { ...told, replay: null };
  refuseBeside(told, request.beside);
  if (survey.jobs === 0) return { ...told, replay: null };
  const id = await transaction(db, async (tx) => {
    const replayId = await insertFileReplay(tx, { ...scope, atOnce, untilVersion, expected: survey.jobs, actor });
    const detail = { replay: replayId, on, source: source ?? null, since, allVersions, limit, jobs: survey.jobs, beside: request.beside };
    await insertAudit(tx, { actor, action: "replay.request", subject: `${plugin.name}@${plugin.version}`, detail });
    return replayId;
  });
  // The next pass of a worker does so as well.
  if (temporal !== null) await startFileReplay(temporal, id);
  return { ...told, replay: await showFileReplay(context, id) };
}

function refuseBeside({ plugin, version, survey }: Omit<RequestedReplay, "replay">, isAccepted: boolean): void {
  const refused = survey.beside.find(({ mode }) => mode === "error" || !isAccepted);
  if (refused === undefined) return;
  const { output, uri, mode, versions } = refused;
  const replace = `casparian topic set ${plugin} ${output} ${uri} --mode replace`;
  const place = `output ${output} goes to ${uri} with mode ${mode}, and ${versions} of the file versions have rows of another version of ${plugin} there`;
  throw mode === "error"
    ? new WrongUse(`${place}: a second result of a file is refused there`, `${replace}, then again`)
    : new WrongUse(
        `${place}: the rows of ${plugin} ${version} would stand beside them`,
        `${replace}, then again; or with --yes, where both are wanted`,
      );
}
