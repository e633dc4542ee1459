import { presentFiles } from "../db/history.ts";
import { insertOutbox } from "../db/outbox.ts";
import type { Queryable } from "../db/pool.ts";
import { routeFile, type ActiveRule } from "../domain/route.ts";

/** Files looked at in one query; bounds memory, not the work. */
const pageSize = 10_000;

/**
 * The newest versions of present files that these rules send to the plugin's active artifact and that it has not had yet; with
 * `insert`, they are put into the outbox as well. Returns how many there are.
 */
export async function backfill(
  db: Queryable,
  request: { readonly pluginId: string; readonly rules: readonly ActiveRule[]; readonly insert: boolean },
): Promise<number> {
  const rules = request.rules.filter((rule) => rule.pluginId === request.pluginId);
  if (rules.length === 0) return 0;
  let found = 0;
  let afterId: string | undefined;
  for (;;) {
    const page = await presentFiles(db, { withoutJobOf: request.pluginId, afterId, limit: pageSize });
    const matching = page.filter((file) => routeFile(file.path, file.sourceId, rules).length > 0);
    found += matching.length;
    if (request.insert && matching.length > 0)
      await insertOutbox(
        db,
        matching.map((file) => file.versionId),
        "BACKFILL",
      );
    if (page.length < pageSize) return found;
    afterId = page.at(-1)!.locationId;
  }
}
