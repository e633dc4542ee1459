import type { ComparisonOptions, OutputComparison, RowExample } from "../../domain/comparison.ts";
import type { Engine } from "./engine.ts";
import type { SideOutput } from "./side.ts";

/** How the rows of an output differ. */
export type RowDifference = Pick<
  OutputComparison,
  "same" | "added" | "removed" | "changed" | "isKeyed" | "keysRepeated" | "changes" | "examples"
>;

export interface Differing extends ComparisonOptions {
  readonly before: SideOutput;
  readonly after: SideOutput;
  readonly rows: { readonly before: number; readonly after: number };
  readonly path: string;
}

/** Of each kind. */
export const examplesMax = 5;
/** Of an example. Characters. */
const valueLengthMax = 200;

/**
 * Compares the rows by the columns that both have, as multisets: their order doesn't matter, and a row that is there twice counts twice. Rows that are
 * the same on both sides are taken away first; of what is left, those with the same key belong together. With a tolerance and without a key,
 * those belong together that are the same but for floating-point numbers, in the order of these.
 */
export async function differRows(engine: Engine, differing: Differing): Promise<RowDifference> {
  const { before, after, rows, key, tolerance } = differing;
  const places = new Map(after.columns.map(({ name }, at) => [name, at]));
  const shared = before.columns.map(({ name }) => name).filter((name) => places.has(name));
  const isKeyed = key.length > 0 && key.every((name) => shared.includes(name));
  const none = { changed: 0, isKeyed, keysRepeated: 0, changes: [], examples: [] };
  if (before.rows.digest === after.rows.digest) return { same: rows.before, added: 0, removed: 0, ...none };
  if (shared.length === 0) {
    const same = before.columns.length === after.columns.length ? Math.min(rows.before, rows.after) : 0;
    return { same, added: rows.after - same, removed: rows.before - same, ...none };
  }
  const placeOf = new Map(before.columns.map(({ name }, at) => [name, at]));
  await engine.load(
    "before",
    before.rows,
    shared.map((name) => placeOf.get(name)!),
  );
  await engine.load(
    "after",
    after.rows,
    shared.map((name) => places.get(name)!),
  );
  await findUnmatched(engine, shared.length);
  const floats = tolerance === null ? [] : shared.flatMap((name, at) => (before.floats.has(name) && after.floats.has(name) ? [at] : []));
  const pairing: Pairing = {
    columns: shared,
    keys: isKeyed ? key.map((name) => shared.indexOf(name)) : null,
    floats: new Set(floats),
    tolerance: tolerance ?? 0,
  };
  return pair(engine, pairing, differing);
}

interface Pairing {
  readonly columns: readonly string[];
  /** Places of the key's columns; null without a key. */
  readonly keys: readonly number[] | null;
  /** Places of the columns to which the tolerance applies. */
  readonly floats: ReadonlySet<number>;
  readonly tolerance: number;
}

/** The tables `removed` and `added`: what is left of each side without the rows that both have. */
async function findUnmatched(engine: Engine, width: number): Promise<void> {
  const columns = Array.from({ length: width }, (_, at) => `c${at}`).join(", ");
  await engine.run(
    `create or replace table unmatched as
     select ${columns}, sum(side)::bigint as surplus, min(n) filter (where side < 0) as nb, min(n) filter (where side > 0) as na
     from (select n, ${columns}, -1 as side from before union all select n, ${columns}, 1 as side from after)
     group by ${columns} having sum(side) <> 0`,
  );
  const left = (table: string, number: string, condition: string): Promise<void> =>
    engine.run(
      `create or replace table ${table} as select row_number() over () as id, n, ${columns}
       from (select ${number} as n, ${columns}, unnest(range(abs(surplus))) from unmatched where ${condition})`,
    );
  await left("removed", "nb", "surplus < 0");
  await left("added", "na", "surplus > 0");
}

async function pair(engine: Engine, pairing: Pairing, { rows, path }: Differing): Promise<RowDifference> {
  const { columns, keys } = pairing;
  await findPairs(engine, pairing);
  const [counts] = await engine.rows<[number, number, number, number]>(
    `select (select count(*) from removed)::double, (select count(*) from added)::double,
       count(*) filter (where is_near)::double, count(*) filter (where not is_near)::double from pair`,
  );
  const [removed, added, near, differing] = counts!;
  const isKeyed = keys !== null;
  // Without a key two rows that are not near have nothing to do with each other.
  const changed = isKeyed ? differing : 0;
  const compared = columns.map((_, at) => at).filter((at) => keys?.includes(at) !== true);
  return {
    same: rows.before - removed + near,
    added: added - near - changed,
    removed: removed - near - changed,
    changed,
    isKeyed,
    keysRepeated: isKeyed && removed + added > 0 ? await countRepeated(engine, keys) : 0,
    changes: changed === 0 ? [] : await countChanges(engine, pairing, compared),
    examples: [
      ...(changed === 0 ? [] : await changedExamples(engine, pairing, path)),
      ...(await loneExamples(engine, pairing, "removed", path)),
      ...(await loneExamples(engine, pairing, "added", path)),
    ],
  };
}

/** The table `pair`: which of the rows that are left belong together, and whether they are the same within the tolerance. */
async function findPairs(engine: Engine, { columns, keys, floats, tolerance }: Pairing): Promise<void> {
  const all = columns.map((_, at) => at);
  const alike = keys ?? all.filter((at) => !floats.has(at));
  if (keys === null && floats.size === 0) return engine.run("create or replace table pair (rid bigint, aid bigint, is_near boolean)");
  const order = keys === null ? [...floats].map((at) => `try_cast(c${at} as double)`) : [];
  const partition = alike.length === 0 ? "" : `partition by ${alike.map((at) => `c${at}`).join(", ")}`;
  const numbered = (table: string): string =>
    `(select *, row_number() over (${partition} order by ${[...order, "n", "id"].join(", ")}) as turn from ${table})`;
  const together = ["r.turn = a.turn", ...alike.map((at) => `r.c${at} is not distinct from a.c${at}`)].join(" and ");
  const near = all.filter((at) => !alike.includes(at)).map((at) => isNear(at, floats.has(at) ? tolerance : null));
  await engine.run(
    `create or replace table pair as select r.id as rid, a.id as aid, ${near.length === 0 ? "true" : near.join(" and ")} as is_near
     from ${numbered("removed")} r join ${numbered("added")} a on ${together}`,
  );
}

/** SQL: whether the values of a column are the same in `r` and `a`. Source of the formula: Python's math.isclose. */
function isNear(at: number, tolerance: number | null): string {
  const [r, a] = [`r.c${at}`, `a.c${at}`];
  if (tolerance === null) return `${r} is not distinct from ${a}`;
  const [x, y] = [`try_cast(${r} as double)`, `try_cast(${a} as double)`];
  const within = `isfinite(${x}) and isfinite(${y}) and abs(${x} - ${y}) <= ${tolerance}::double * greatest(1, abs(${x}), abs(${y}))`;
  return `(${r} is not distinct from ${a} or coalesce(${within}, false))`;
}

async function countRepeated(engine: Engine, keys: readonly number[]): Promise<number> {
  const columns = keys.map((at) => `c${at}`).join(", ");
  const repeated = (table: string): string =>
    `(select count(*) from (select 1 from ${table} group by ${columns} having count(*) > 1))::double`;
  const [counts] = await engine.rows<[number]>(`select greatest(${repeated("before")}, ${repeated("after")})`);
  return counts![0];
}

async function countChanges(
  engine: Engine,
  { columns, floats, tolerance }: Pairing,
  compared: readonly number[],
): Promise<RowDifference["changes"]> {
  const sums = compared.map((at) => `count(*) filter (where not ${isNear(at, floats.has(at) ? tolerance : null)})::double`);
  const [counts] = await engine.rows<number[]>(`select ${sums.join(", ")} ${fromPairs}`);
  return compared
    .map((at, index) => ({ column: columns[at]!, rows: counts![index]! }))
    .filter((change) => change.rows > 0)
    .toSorted((a, b) => b.rows - a.rows);
}

const fromPairs = "from pair p join removed r on r.id = p.rid join added a on a.id = p.aid where not p.is_near";

async function changedExamples(
  engine: Engine,
  { columns, keys, floats, tolerance }: Pairing,
  path: string,
): Promise<readonly RowExample[]> {
  const all = columns.map((_, at) => at);
  const differs = all.map((at) => `not ${isNear(at, floats.has(at) ? tolerance : null)}`);
  const found = await engine.rows<(string | number | boolean | null)[]>(
    `select r.n::double, a.n::double, ${all.map((at) => `${cut(`r.c${at}`)}, ${cut(`a.c${at}`)}, ${differs[at]}`).join(", ")}
     ${fromPairs} order by a.n limit ${examplesMax}`,
  );
  return found.map(([before, after, ...cells]) => ({
    kind: "changed",
    path,
    row: { before: before as number, after: after as number },
    values: all
      .filter((at) => keys?.includes(at) === true || cells[3 * at + 2] === true)
      .map((at) => ({ column: columns[at]!, before: cells[3 * at] as string | null, after: cells[3 * at + 1] as string | null })),
  }));
}

async function loneExamples(
  engine: Engine,
  { columns, keys }: Pairing,
  kind: "added" | "removed",
  path: string,
): Promise<readonly RowExample[]> {
  const id = kind === "added" ? "aid" : "rid";
  const paired = keys === null ? "p.is_near" : "true";
  const found = await engine.rows<(string | number | null)[]>(
    `select n::double, ${columns.map((_, at) => cut(`c${at}`)).join(", ")} from ${kind} t
     where not exists (select 1 from pair p where p.${id} = t.id and ${paired}) order by n limit ${examplesMax}`,
  );
  return found.map(([row, ...cells]) => ({
    kind,
    path,
    row: { before: kind === "removed" ? (row as number) : null, after: kind === "added" ? (row as number) : null },
    values: columns.map((column, at) => {
      const value = cells[at] as string | null;
      return { column, before: kind === "removed" ? value : null, after: kind === "added" ? value : null };
    }),
  }));
}

function cut(value: string): string {
  return `case when length(${value}) > ${valueLengthMax} then left(${value}, ${valueLengthMax}) || '…' else ${value} end`;
}
