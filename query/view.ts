import { TerminalFailure } from "../domain/failure.ts";
import { nameColumns } from "./column-names.ts";
import { commonType, noType, type CommonType } from "./common-type.ts";
import type { Engine } from "./engine.ts";
import { identifier, literal } from "./identifier.ts";

/** Results with the same columns. */
export interface RowGroup {
  /** What stands after `from` in SQL; its columns are those of `columns`, whatever it calls them. */
  readonly rows: string;
  readonly results: number;
  readonly columns: readonly GroupColumn[];
  /** One of those whose results these are, for messages: `job 12`. */
  readonly example: string;
}

interface GroupColumn {
  readonly name: string;
  /** Whether it has no type but null, which sinks have to give one. */
  readonly isNull: boolean;
}

export interface ViewRequest {
  readonly schema: string;
  readonly name: string;
  /** Also seen by its name alone. */
  readonly isPlain: boolean;
  /** At least one. */
  readonly groups: readonly RowGroup[];
  /** Whether a column whose types clash is shown as text; otherwise it is an error. */
  readonly clashAsText: boolean;
}

/**
 * Makes a view over all rows of results with various columns: a column that one lacks is null there, and one that differs in type has the
 * type that holds them all. Throws TerminalFailure OUTPUT_TYPES_CLASH where there is none, OUTPUT_CHANGED for files that have not the columns
 * that the record says.
 */
export async function createView(engine: Engine, view: ViewRequest): Promise<void> {
  const { connection } = engine;
  const { schema, name, groups, isPlain } = view;
  const types: (readonly string[])[] = [];
  for (const group of groups) types.push(await readTypes(engine, view, group));
  const { names, nameOf } = nameColumns(groups.map(({ columns }) => columns.map((column) => column.name)));
  const common = new Map(names.map((column) => [column, typeOf(view, column, typesIn(view, types, nameOf, column))]));
  const selects = groups.map((group, g) => selectOf(group, types[g]!, { names, nameOf, common }));
  await connection.run(`create schema if not exists ${identifier(schema)}`);
  const qualified = `${identifier(schema)}.${identifier(name)}`;
  await connection.run(`create view ${qualified} as ${selects.join("\nunion all\n")}`);
  if (isPlain) await connection.run(`create view main.${identifier(name)} as from ${qualified}`);
}

async function readTypes({ connection }: Engine, { schema, name }: ViewRequest, group: RowGroup): Promise<readonly string[]> {
  const reader = await connection.runAndReadAll(`select column_type from (describe from ${group.rows})`);
  const types = reader.getColumnsJson()[0]?.map(String) ?? [];
  if (types.length === group.columns.length) return types.map((type, i) => (group.columns[i]!.isNull ? noType : type));
  throw new TerminalFailure({
    code: "OUTPUT_CHANGED",
    message: `${schema}.${name}: the file of ${group.example} has ${types.length} columns where ${group.columns.length} were written`,
    hint: "Somebody changed the file: put back the one that was written",
  });
}

interface TypeInFiles {
  readonly type: string;
  readonly results: number;
  readonly example: string;
}

function typesIn(
  { groups }: ViewRequest,
  types: readonly (readonly string[])[],
  nameOf: (column: string) => string,
  column: string,
): readonly TypeInFiles[] {
  return groups.flatMap(({ columns, results, example }, g) => {
    const at = columns.findIndex((own) => nameOf(own.name) === column);
    return at < 0 ? [] : [{ type: types[g]![at]!, results, example }];
  });
}

function typeOf({ schema, name, clashAsText }: ViewRequest, column: string, found: readonly TypeInFiles[]): CommonType {
  const common = commonType(found.map(({ type }) => type));
  if (common !== null && !(clashAsText && common.checked)) return common;
  if (clashAsText) return { type: "VARCHAR", checked: false };
  const byType = Map.groupBy(found, ({ type }) => type);
  const described = [...byType].map(([type, groups]) => {
    const results = groups.reduce((sum, group) => sum + group.results, 0);
    return `${type} in ${results} result${results === 1 ? "" : "s"} (such as that of ${groups[0]!.example})`;
  });
  throw new TerminalFailure({
    code: "OUTPUT_TYPES_CLASH",
    message: `${schema}.${name}: the column ${identifier(column)} is ${described.join(", ")}, and no type holds all of them unchanged`,
    hint: "Read such columns as text with --mixed-as-text; or have the plugin give the column one type, and process the files again",
    data: { column, types: [...byType.keys()] },
  });
}

interface Unified {
  readonly names: readonly string[];
  readonly nameOf: (column: string) => string;
  readonly common: ReadonlyMap<string, CommonType>;
}

/** Columns are taken by their place, because names that differ by letter case only are the same to DuckDB. */
function selectOf({ rows, columns }: RowGroup, types: readonly string[], { names, nameOf, common }: Unified): string {
  const shown = names.map((name) => {
    const wanted = common.get(name)!;
    const at = columns.findIndex((own) => nameOf(own.name) === name);
    const value = at < 0 ? nullOf(wanted) : valueOf(`c${at}`, name, types[at]!, wanted);
    return `${value} as ${identifier(name)}`;
  });
  return `select ${shown.join(", ")} from ${rows} as t(${columns.map((_, at) => `c${at}`).join(", ")})`;
}

function nullOf({ type }: CommonType): string {
  return type === noType ? "null" : `null::${type}`;
}

function valueOf(column: string, name: string, type: string, common: CommonType): string {
  const { type: wanted, checked } = common;
  if (type === noType) return nullOf(common);
  if (type === wanted) return column;
  if (!checked || type === "FLOAT" || type === "DOUBLE") return `${column}::${wanted}`;
  const refusal = literal(`${name} has a whole number beyond 2^53 in one file, and doubles in another: read it with --mixed-as-text`);
  return `case when ${column} is null then null when ${column} between -9007199254740992 and 9007199254740992
    then ${column}::double else error(${refusal}) end`;
}
