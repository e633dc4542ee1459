import { listFiles as selectFiles, type FileRow } from "../db/history.ts";
import { activeRules } from "../db/routing-rule.ts";
import { routeFile } from "../domain/route.ts";
import type { ControlContext } from "./context.ts";
import { findSource } from "./find-source.ts";

export type { FileRow } from "../db/history.ts";

export interface ListFilesRequest {
  readonly source?: string | undefined;
  /** Only present files that no rule sends to an active plugin. */
  readonly unmatched: boolean;
  readonly limit: number;
}

export interface FileList {
  readonly files: readonly FileRow[];
  /** True where the limit has cut the list. */
  readonly more: boolean;
}

const pageSize = 2_000;

/** Files on record, in the order in which they were found first. Throws WrongUse for an unknown source. */
export async function listFiles({ db }: ControlContext, request: ListFilesRequest): Promise<FileList> {
  const sourceIds = request.source === undefined ? undefined : [(await findSource(db, request.source)).id];
  const rules = request.unmatched ? await activeRules(db) : [];
  const files: FileRow[] = [];
  let afterId: string | undefined;
  for (;;) {
    const limit = request.unmatched ? pageSize : request.limit + 1;
    const page = await selectFiles(db, { sourceIds, state: request.unmatched ? "PRESENT" : undefined, afterId, limit });
    files.push(...page.filter((file) => !request.unmatched || (!file.isOpened && routeFile(file.path, file.sourceId, rules).length === 0)));
    if (page.length < limit || files.length > request.limit)
      return { files: files.slice(0, request.limit), more: files.length > request.limit };
    afterId = page.at(-1)!.locationId;
  }
}
