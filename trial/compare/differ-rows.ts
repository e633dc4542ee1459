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
  await findUnmatched(engine);
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

/** SQL: the list of a row's values. */
const listOf = (text: string): string => `from_json(${text}, '["VARCHAR"]')`;
/** SQL: some of them; DuckDB counts from 1. */
const some = (list: string, places: readonly number[]): string => `list_select(${list}, [${places.map((at) => at + 1).join(", ")}])`;
/** SQL: the same as one text, which joins and groups take where there are nulls, too. */
const textOf = (list: string, places: readonly number[]): string =>
  places.length === 0 ? "''" : `to_json(${some(list, places)})::varchar`;

/** The tables `removed` and `added`: what is left of each side without the rows that both have. */
async function findUnmatched(engine: Engine): Promise<void> {
  await engine.run(
    `create or replace temp table unmatched as
     select v, sum(side)::bigint as surplus, min(n) filter (where side < 0) as nb, min(n) filter (where side > 0) as na
     from (select n, v, -1 as side from before union all select n, v, 1 as side from after) group by v having sum(side) <> 0`,
  );
  const left = (table: string, number: string, condition: string): Promise<void> =>
    engine.run(
      `create or replace temp table ${table} as select row_number() over () as id, n, ${listOf("v")} as v
       from (select ${number} as n, v, unnest(range(abs(surplus))) from unmatched where ${condition})`,
    );
  await left("removed", "nb", "surplus < 0");
  await left("added", "na", "surplus > 0");
}

async function pair(engine: Engine, pairing: Pairing, { rows, path }: Differing): Promise<RowDifference> {
  const { keys } = pairing;
  await findPairs(engine, pairing);
  await findDiffering(engine, pairing);
  const [counts] = await engine.rows<[number, number, number, number]>(
    `select (select count(*) from removed)::double, (select count(*) from added)::double, (select count(*) from pair)::double,
       (select count(distinct pid) from differing)::double`,
  );
  const [removed, added, pairs, differing] = counts!;
  const isKeyed = keys !== null;
  // Without a key two rows that are not near have nothing to do with each other.
  const changed = isKeyed ? differing : 0;
  const near = pairs - differing;
  return {
    same: rows.before - removed + near,
    added: added - near - changed,
    removed: removed - near - changed,
    changed,
    isKeyed,
    keysRepeated: isKeyed && removed + added > 0 ? await countRepeated(engine, keys) : 0,
    changes: changed === 0 ? [] : await countChanges(engine, pairing),
    examples: [
      ...(changed === 0 ? [] : await changedExamples(engine, pairing, path)),
      ...(await loneExamples(engine, pairing, "removed", path)),
      ...(await loneExamples(engine, pairing, "added", path)),
    ],
  };
}

/** The table `pair`: which of the rows that are left belong together. */
async function findPairs(engine: Engine, { columns, keys, floats }: Pairing): Promise<void> {
  const alike = keys ?? columns.map((_, at) => at).filter((at) => !floats.has(at));
  if (keys === null && floats.size === 0) return engine.run("create or replace temp table pair (pid bigint, rid bigint, aid bigint)");
  const order = keys === null ? [`list_transform(${some("v", [...floats])}, lambda x: try_cast(x as double))`] : [];
  const numbered = (table: string): string =>
    `(select id, k, row_number() over (partition by k order by ${[...order, "n", "id"].join(", ")}) as turn
      from (select *, ${textOf("v", alike)} as k from ${table}))`;
  await engine.run(
    `create or replace temp table pair as select row_number() over () as pid, r.id as rid, a.id as aid
     from ${numbered("removed")} r join ${numbered("added")} a on r.k = a.k and r.turn = a.turn`,
  );
}

/**
 * The table `differing`: of each pair the columns whose values are not the same, by their place from 1. A row for each, because an expression for each
 * of a thousand columns takes its memory.
 */
async function findDiffering(engine: Engine, { columns, floats, tolerance }: Pairing): Promise<void> {
  const near = floats.size === 0 ? "false" : `place in (${[...floats].map((at) => at + 1).join(", ")}) and ${isNear(tolerance)}`;
  await engine.run(
    `create or replace temp table differing as select pid, place from (
       select p.pid, unnest(range(1, ${columns.length + 1})) as place, unnest(r.v) as x, unnest(a.v) as y
       from pair p join removed r on r.id = p.rid join added a on a.id = p.aid
     ) where x is distinct from y and not (${near})`,
  );
}

/** SQL: whether `x` and `y` are near as numbers. Source of the formula: Python's math.isclose. */
function isNear(tolerance: number): string {
  const [x, y] = ["try_cast(x as double)", "try_cast(y as double)"];
  return `coalesce(isfinite(${x}) and isfinite(${y}) and abs(${x} - ${y}) <= ${tolerance}::double * greatest(1, abs(${x}), abs(${y})), false)`;
}

async function countRepeated(engine: Engine, keys: readonly number[]): Promise<number> {
  const repeated = (table: string): string =>
    `(select count(*) from (select 1 from ${table} group by ${textOf(listOf("v"), keys)} having count(*) > 1))::double`;
  const [counts] = await engine.rows<[number]>(`select greatest(${repeated("before")}, ${repeated("after")})`);
  return counts![0];
}

async function countChanges(engine: Engine, { columns }: Pairing): Promise<RowDifference["changes"]> {
  const counts = await engine.rows<[number, number]>(
    "select place::double, count(*)::double from differing group by place order by 2 desc, 1",
  );
  return counts.map(([at, rows]) => ({ column: columns[at - 1]!, rows }));
}

type Values = { readonly items: readonly (string | null)[] };

async function changedExamples(engine: Engine, { columns, keys }: Pairing, path: string): Promise<readonly RowExample[]> {
  const found = await engine.rows<[number, number, Values, Values, { readonly items: readonly bigint[] }]>(
    `select r.n::double, a.n::double, r.v, a.v, d.places from (select pid, list(place order by place) as places from differing group by pid) d
     join pair p on p.pid = d.pid join removed r on r.id = p.rid join added a on a.id = p.aid order by a.n limit ${examplesMax}`,
  );
  return found.map(([before, after, x, y, places]) => {
    const shown = new Set([...(keys ?? []), ...places.items.map((at) => Number(at) - 1)]);
    const values = columns.flatMap((column, at) => (shown.has(at) ? [{ column, before: cut(x.items[at]), after: cut(y.items[at]) }] : []));
    return { kind: "changed", path, row: { before, after }, values };
  });
}

async function loneExamples(
  engine: Engine,
  { columns, keys }: Pairing,
  kind: "added" | "removed",
  path: string,
): Promise<readonly RowExample[]> {
  const id = kind === "added" ? "aid" : "rid";
  const together = keys === null ? "p.pid not in (select pid from differing)" : "true";
  const found = await engine.rows<[number, Values]>(
    `select n::double, v from ${kind} t where not exists (select 1 from pair p where p.${id} = t.id and ${together})
     order by n limit ${examplesMax}`,
  );
  const isAdded = kind === "added";
  return found.map(([row, { items }]) => ({
    kind,
    path,
    row: { before: isAdded ? null : row, after: isAdded ? row : null },
    values: columns.map((column, at) => {
      const value = cut(items[at]);
      return { column, before: isAdded ? null : value, after: isAdded ? value : null };
    }),
  }));
}

function cut(value: string | null | undefined): string | null {
  if (value == null) return null;
  const characters = [...value.slice(0, 2 * valueLengthMax + 1)];
  return characters.length > valueLengthMax ? `${characters.slice(0, valueLengthMax).join("")}…` : value;
}
