import type { Database } from "../../db/pool.ts";
import { sha256 } from "../support/sha256.ts";
import type { FileOnDisk } from "./file-operations.ts";

/** What the record holds of a location. */
export interface RecordedLocation {
  readonly path: string;
  readonly state: "PRESENT" | "VANISHED";
  readonly versions: readonly RecordedVersion[];
}

interface RecordedVersion {
  readonly id: string;
  readonly hash: string;
  readonly outboxRows: number;
  readonly movedFrom: { readonly id: string; readonly path: string; readonly hash: string } | null;
}

export async function readLocations(db: Database, sourceId: string): Promise<readonly RecordedLocation[]> {
  const { rows } = await db.query<RecordedLocation>(
    `select l.rel_path as path, l.state, coalesce(jsonb_agg(jsonb_build_object(
         'id', v.id::text, 'hash', v.content_hash,
         'outboxRows', (select count(*) from cf_outbox o where o.file_version_id = v.id),
         'movedFrom', (select jsonb_build_object('id', f.id::text, 'path', fl.rel_path, 'hash', f.content_hash)
            from cf_file_version f join cf_file_location fl on fl.id = f.location_id where f.id = v.moved_from_version_id)
       ) order by v.sequence) filter (where v.id is not null), '[]') as versions
     from cf_file_location l left join cf_file_version v on v.location_id = l.id
     where l.source_id = $1 group by l.id order by l.rel_path`,
    [sourceId],
  );
  return rows;
}

type Tree = ReadonlyMap<string, FileOnDisk>;

/** What may and what must be on record, as far as an observer of the disk can tell. */
export function createRecordModel() {
  /** The contents that each location has had, as it was found on record when it was last certain. */
  let known = new Map<string, readonly string[]>();
  /** The tree when the record was last certain. */
  let certain: Tree = new Map();
  /** Trees since then, each of which a scan may have seen in part. */
  let glimpsed: Tree[] = [];

  return {
    /** A scan may have recorded some of this. */
    mayHaveSeen(tree: Tree): void {
      glimpsed.push(tree);
    },

    /** A scan has gone through, over everything that changed. Throws what is wrong with the record. */
    check(tree: Tree, locations: readonly RecordedLocation[]): void {
      const paths = locations.map((location) => location.path);
      if (new Set(paths).size !== paths.length) throw new Error("a path is on record twice");
      for (const path of [...tree.keys(), ...known.keys()]) if (!paths.includes(path)) throw new Error(`${path} is not on record`);
      const before = known;
      known = new Map();
      for (const location of locations) {
        checkState(location, tree);
        checkContents(location, possibleContents(before.get(location.path) ?? [], location.path, tree));
        const fresh = location.versions.slice(before.get(location.path)?.length ?? 0);
        for (const version of fresh) checkMove(location, version, tree);
        known.set(
          location.path,
          location.versions.map((version) => version.hash),
        );
      }
      certain = tree;
      glimpsed = [];
    },
  };

  /** Every way in which the location's contents may have gone on from those that were certain. */
  function possibleContents(from: readonly string[], path: string, tree: Tree): readonly (readonly string[])[] {
    let possible: readonly (readonly string[])[] = [from];
    for (const glimpse of glimpsed) {
      const content = glimpse.get(path)?.content;
      if (content !== undefined) possible = unique([...possible, ...possible.map((contents) => extend(contents, content))]);
    }
    const content = tree.get(path)?.content;
    return content === undefined ? possible : unique(possible.map((contents) => extend(contents, content)));
  }

  function checkMove({ path }: RecordedLocation, version: RecordedVersion, tree: Tree): void {
    const { movedFrom } = version;
    if (movedFrom !== null) {
      if (movedFrom.hash !== version.hash) throw new Error(`${path} is said to have moved from other content`);
      if (movedFrom.path === path) throw new Error(`${path} is said to have moved from itself`);
    }
    // What happened between two glimpses is not known so exactly.
    if (glimpsed.length > 0 || tree.get(path) === undefined) return;
    const place = movedFrom === null ? undefined : tree.get(movedFrom.path);
    if (place !== undefined && certain.get(movedFrom!.path)?.inode === place.inode && hashOf(place.content) === movedFrom!.hash) {
      throw new Error(`${path} is said to have moved from ${movedFrom!.path}, which is still there`);
    }
    const origins = originsOf(path, tree);
    if (origins.length > 0 && (movedFrom === null || !origins.includes(movedFrom.path))) {
      throw new Error(`${path} was ${origins.join(" or ")}, and is said to have moved from ${movedFrom?.path ?? "nowhere"}`);
    }
  }

  /** Where this very file was, with this content, when the record was last certain. */
  function originsOf(path: string, tree: Tree): readonly string[] {
    const file = tree.get(path)!;
    if (file.content === "") return [];
    return [...certain]
      .filter(([former, { inode, content }]) => former !== path && inode === file.inode && content === file.content)
      .map(([former]) => former)
      .filter((former) => tree.get(former)?.inode !== file.inode);
  }
}

function checkState({ path, state, versions }: RecordedLocation, tree: Tree): void {
  const expected = tree.has(path) ? "PRESENT" : "VANISHED";
  if (state !== expected) throw new Error(`${path} is on record as ${state}, and is ${expected}`);
  for (const { id, outboxRows } of versions)
    if (outboxRows !== 1) throw new Error(`version ${id} of ${path} has ${outboxRows} outbox rows`);
}

function checkContents({ path, versions }: RecordedLocation, possible: readonly (readonly string[])[]): void {
  const recorded = versions.map((version) => version.hash).join(" ");
  if (possible.some((contents) => contents.join(" ") === recorded)) return;
  const expected = possible.map((contents) => contents.map(shown).join(", ")).join("; or ");
  throw new Error(`${path} has the versions ${versions.map((version) => shown(version.hash)).join(", ")} on record; expected: ${expected}`);
}

/** A version is made where the content differs from that of the newest one. */
function extend(contents: readonly string[], content: string): readonly string[] {
  const hash = hashOf(content);
  return contents.at(-1) === hash ? contents : [...contents, hash];
}

function unique(all: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return [...new Map(all.map((contents) => [contents.join(" "), contents])).values()];
}

const contentOf = new Map<string, string>();

function hashOf(content: string): string {
  const hash = sha256(content);
  contentOf.set(hash, content);
  return hash;
}

function shown(hash: string): string {
  return JSON.stringify(contentOf.get(hash) ?? hash);
}
