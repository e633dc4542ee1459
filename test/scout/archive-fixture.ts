import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findSource, updateSource, type SourceSettings } from "../../db/source-root.ts";
import { archiveLimits, type ArchiveLimits } from "../../domain/archive.ts";
import { listMembers, type ListedMember, type ListMembersEnd } from "../../scout/list-members.ts";
import type { ScanRequest } from "../../scout/scan.ts";
import { readStat } from "../../scout/stat.ts";
import type { ScoutThreads } from "../../scout/threads.ts";
import { scoutWorld, temporaryFolder, type Field } from "./fixture.ts";

export interface Listing {
  readonly members: readonly ListedMember[];
  readonly end: ListMembersEnd;
}

export const anyFile = { sizeBytesMin: 0, sizeBytesMax: null, ageMsMax: null };
export const read: ListMembersEnd = { outcome: "READ" };

/** Reads an archive as a scan does. */
export async function list(
  name: string,
  content: Uint8Array | null,
  limits?: Partial<ArchiveLimits>,
  root = temporaryFolder(),
): Promise<Listing> {
  if (content !== null) writeFileSync(join(root, name), content);
  const stat = (await readStat(join(root, name)))!;
  const members: ListedMember[] = [];
  const globs = { include: [], exclude: [], archives: true };
  const reading = listMembers({ root, relPath: name, stat, globs, fileLimits: anyFile, limits: { ...archiveLimits, ...limits } });
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { members, end: step.value };
    members.push(...step.value.members);
  }
}

/** The world of a file of tests of sources that open archives, and what is asked of it. */
export function archiveWorld() {
  const world = scoutWorld();
  const field = (settings: Partial<SourceSettings> = {}) => world.openField({ archives: true, ...settings });

  /** The members on record, as `record` gives locations. */
  const members = async ({ record }: Field) => (await record()).filter((line) => line.includes("!/"));

  /** Threads that tell which archives were opened. */
  function watched(before: (relPath: string) => void = () => {}): { readonly threads: ScoutThreads; readonly opened: string[] } {
    const opened: string[] = [];
    return {
      opened,
      threads: {
        ...world.threads,
        members(request, signal) {
          opened.push(request.relPath);
          before(request.relPath);
          return world.threads.members(request, signal);
        },
      },
    };
  }

  /** As the next scan sees the source once its settings have changed. */
  async function changed({ source }: Field, settings: Partial<SourceSettings>): Promise<Partial<ScanRequest>> {
    await updateSource(world.db, source.id, { ...source, ...settings });
    return { source: (await findSource(world.db, source.name))! };
  }

  async function outbox({ source }: Field): Promise<readonly string[]> {
    const { rows } = await world.db.query<{ line: string }>(
      `select l.rel_path || ' ' || v.sequence as line from cf_outbox o join cf_file_version v on v.id = o.file_version_id
       join cf_file_location l on l.id = v.location_id where l.source_id = $1 order by 1`,
      [source.id],
    );
    return rows.map((row) => row.line);
  }

  async function archives({ source }: Field): Promise<readonly string[]> {
    const { rows } = await world.db.query<{ line: string }>(
      `select l.rel_path || ' ' || v.sequence || ' ' || a.state || coalesce(' ' || a.members, '') as line
       from cf_archive a join cf_file_version v on v.id = a.file_version_id join cf_file_location l on l.id = v.location_id
       where l.source_id = $1 order by v.id`,
      [source.id],
    );
    return rows.map((row) => row.line);
  }

  return { world, field, members, watched, changed, outbox, archives };
}
