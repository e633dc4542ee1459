import { listFiles as selectFiles, type FileRow } from "../db/history.ts";
import { activeRules } from "../db/routing-rule.ts";
import { createRouter } from "../domain/route.ts";
import type { ControlContext } from "./context.ts";
import { findSource } from "./find-source.ts";

export interface ListFilesRequest {
  readonly source?: string | undefined;
  /** Only present files that no rule sends to an active plugin. */
  readonly unmatched: boolean;
  /** Only present files that a rule gives this tag. */
  readonly tag?: string | undefined;
  readonly limit: number;
}

export interface ListedFile extends FileRow {
  /** By the present rules. */
  readonly tags: readonly string[];
}

export interface FileList {
  readonly files: readonly ListedFile[];
  /** True where the limit has cut the list. */
  readonly more: boolean;
}

const pageSize = 2_000;

/** Files on record, in the order in which they were found first. Throws WrongUse for an unknown source. */
export async function listFiles({ db }: ControlContext, request: ListFilesRequest): Promise<FileList> {
  const sourceIds = request.source === undefined ? undefined : [(await findSource(db, request.source)).id];
  const router = createRouter(await activeRules(db));
  const isChosen = request.unmatched || request.tag !== undefined;
  const files: ListedFile[] = [];
  let afterId: string | undefined;
  for (;;) {
    const limit = isChosen ? pageSize : request.limit + 1;
    const page = await selectFiles(db, { sourceIds, state: isChosen ? "PRESENT" : undefined, afterId, limit });
    for (const file of page) {
      // An archive that no rule takes is there for its members.
      if (request.unmatched && (file.isOpened || router.route(file.path, file.sourceId).length > 0)) continue;
      const tags = router.tagsOf(file.path, file.sourceId);
      if (request.tag !== undefined && !tags.includes(request.tag)) continue;
      files.push({ ...file, tags });
    }
    if (page.length < limit || files.length > request.limit)
      return { files: files.slice(0, request.limit), more: files.length > request.limit };
    afterId = page.at(-1)!.locationId;
  }
}
