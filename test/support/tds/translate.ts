/**
 * Our statements of T-SQL as Postgres knows them. This is no translator of T-SQL: each form that the sink uses is listed, and anything else is
 * refused, so a statement that is changed or added has to be looked at here.
 */

/** What a batch asks for. */
export type Translated =
  | { readonly kind: "rows"; readonly sql: string }
  | { readonly kind: "row count"; readonly sql: string }
  | { readonly kind: "lock"; readonly resource: string }
  | { readonly kind: "columns of"; readonly table: string }
  | { readonly kind: "bulk"; readonly table: string };

const table = String.raw`\[(?:[^\]]|\]\])+\]\.\[(?:[^\]]|\]\])+\]`;
const own = String.raw`\[_casparian\]\.\[(?:staging|result)\]`;
const text = String.raw`N'(?:[^']|'')*'`;
/** Up to the end of the statement. */
const rest = `(?:${text}|[^;'])*`;
const forms: readonly (readonly [RegExp, (parts: readonly string[], sql: string) => Translated])[] = [
  [/^set ansi_nulls on\s/, () => rows("select")],
  [
    new RegExp(`^select schema_id\\((${text})\\);$`),
    ([name]) => rows(`select oid::int from pg_namespace where nspname = ${literal(name!)}`, "(select null::int)"),
  ],
  [new RegExp(`^select object_id\\((${text})(?:, N'U')?\\);$`), ([name]) => rows(`select ${objectId(name!)}`)],
  [
    new RegExp(`^select object_id\\((${text})\\), case when N'a' = N'A' then 0 else 1 end;$`),
    ([name]) => rows(`select ${objectId(name!)}, 0`),
  ],
  [
    new RegExp(
      `^declare @got int; exec @got = sp_getapplock @Resource = (${text}), @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = \\d+; select @got;$`,
    ),
    ([resource]) => ({ kind: "lock", resource: contentOf(resource!) }),
  ],
  [
    new RegExp(`^select top \\(1\\) \\[_cf_job_id\\] from (${table}) with \\(tablockx, holdlock\\);$`),
    ([name]) => rows(`lock table ${common(name!)} in exclusive mode; select "_cf_job_id" from ${common(name!)} limit 1`),
  ],
  [
    new RegExp(
      `^select \\* into (${table}) from (${table}) where (\\[_cf_job_id\\] in \\(select \\[job_id\\] from ${own} where ${rest}\\));$`,
    ),
    ([into, from, condition]) => rows(selectInto(common(into!), common(from!), common(condition!))),
  ],
  // A shared lock to the end of the transaction.
  [
    new RegExp(`^select top \\(1\\) \\[_cf_job_id\\] from (${table}) with \\(tablock, holdlock\\);$`),
    ([name]) => rows(`lock table ${common(name!)} in share mode; select "_cf_job_id" from ${common(name!)} limit 1`),
  ],
  [
    new RegExp(`^select (.*) from (${table}) where \\[_cf_job_id\\] in \\(([\\d, ]+)\\);$`, "s"),
    ([values, name, jobs]) => rows(`select ${converted(values!)} from ${common(name!)} where "_cf_job_id" in (${jobs!})`),
  ],
  [/^create schema \[_casparian\];$/, (_, sql) => rows(common(sql))],
  [
    new RegExp(`^\\s*create table ${table} \\(`),
    (_, sql) =>
      rows(
        sql
          .trim()
          .split(/;\s*(?=create table|$)/)
          .filter(Boolean)
          .map(createTable)
          .join(";\n"),
      ),
  ],
  [new RegExp(`^alter table (${table}) add (.*);$`, "s"), ([name, columns]) => rows(addColumns(name!, columns!))],
  [
    new RegExp(`^create index \\[_cf_job_id\\] on (${table}) \\(\\[_cf_job_id\\]\\);$`),
    ([name]) => rows(`create index on ${common(name!)} ("_cf_job_id")`),
  ],
  [new RegExp(`^drop table if exists ${table};$`), (_, sql) => rows(common(sql))],
  [new RegExp(`^select count_big\\(\\*\\) from ${table};$`), (_, sql) => rows(common(sql))],
  [
    /^select c\.\[name\], t\.\[name\], c\.\[max_length\].* from sys\.columns c join sys\.types t .*object_id\((N'.*')\) order by c\.\[column_id\];$/s,
    ([name]) => ({ kind: "columns of", table: common(contentOf(name!)) }),
  ],
  [
    /^select i\.\[index_id\] from sys\.index_columns i join sys\.columns c .*object_id\((N'.*')\) and i\.\[key_ordinal\] = 1 and c\.\[name\] = N'_cf_job_id';$/s,
    ([name]) => rows(jobIndex(name!)),
  ],
  [new RegExp(`^select \\[[^;']* from ${own}\\s+where ${rest};$`), (_, sql) => rows(common(sql))],
  [new RegExp(`^(?:insert into|update|delete from) ${own} ${rest};$`), (_, sql) => rows(common(sql))],
  [new RegExp(`^delete from ${table} with \\(tablockx\\) where \\[_cf_job_id\\] ${rest};$`), (_, sql) => rows(common(sql))],
  [
    new RegExp(
      `^(insert into ${table} with \\(tablockx\\) .* select .* from ${table} s\\s+cross join ${own} l where .*); select rowcount_big\\(\\);$`,
      "s",
    ),
    ([insert]) => ({ kind: "row count", sql: common(insert!) }),
  ],
  [
    new RegExp(`^insert bulk (${table})\\((?:\\[c\\d+\\] [^\\]]+)+\\) WITH \\(KEEP_NULLS,TABLOCK\\)$`),
    ([name]) => ({ kind: "bulk", table: common(name!) }),
  ],
];

/** Throws for a statement that is not one of ours. */
export function translate(sql: string): Translated {
  for (const [pattern, make] of forms) {
    const match = pattern.exec(sql);
    if (match !== null) return make(match.slice(1), sql);
  }
  throw new Error(`Incorrect syntax near: the stub knows no such statement: ${sql}`);
}

/** Where the sub-select finds nothing, SQL Server's functions are null. */
function rows(sql: string, otherwise?: string): Translated {
  return { kind: "rows", sql: otherwise === undefined ? sql : `select coalesce((${sql}), ${otherwise})` };
}

/** Names, texts and words that both have, under other names. Nothing within texts and names is touched. */
function common(sql: string): string {
  return sql.replaceAll(/N'((?:[^']|'')*)'|\[((?:[^\]]|\]\])+)\]|[^N[]+|N/g, (part, content?: string, name?: string) => {
    if (content !== undefined) return `'${content}'`;
    if (name !== undefined) return `"${name.replaceAll("]]", "]").replaceAll('"', '""')}"`;
    return part
      .replaceAll("count_big(*)", "count(*)")
      .replaceAll(" with (tablockx)", "")
      .replaceAll("sysdatetimeoffset()", "(now()::text)");
  });
}

/** The types of the columns, which are comments, go with them. */
function selectInto(into: string, from: string, condition: string): string {
  return `create table ${into} as select * from ${from} where ${condition};
    do $do$ declare c record; begin
      for c in select attname as name, col_description(attrelid, attnum) as type from pg_attribute
        where attrelid = '${from}'::regclass and attnum > 0 and not attisdropped and col_description(attrelid, attnum) is not null loop
        execute format('comment on column ${into}.%I is %L', c.name, c.type);
      end loop;
    end $do$`;
}

/** Values as SQL Server makes texts of them, by the style that is asked for. */
function converted(values: string): string {
  const name = String.raw`\[(?:[^\]]|\]\])+\]`;
  const one = new RegExp(`convert\\(nvarchar\\((?:\\d+|max)\\), (${name})(?:, (\\d+))?\\)|${name}`, "g");
  return values.replaceAll(one, (all: string, column?: string, style?: string) => {
    if (column === undefined) return common(all);
    const value = common(column);
    const form = styles[style ?? ""];
    if (form === undefined) throw new Error(`${style} is not a valid style number when converting to a character string.`);
    return form(value);
  });
}

/** Dates and times are texts here already, in ISO 8601. */
const styles: Readonly<Record<string, (value: string) => string>> = {
  "": (value) =>
    `case pg_typeof(${value})::text when 'boolean' then translate(${value}::text::"char"::text, 'tf', '10') else ${value}::text end`,
  2: (value) => `upper(encode(${value}, 'hex'))`,
  121: (value) => `${value}::text`,
  126: (value) => `${value}::text`,
  127: (value) => `replace(${value}::text, '+00:00', 'Z')`,
};

function contentOf(quoted: string): string {
  return quoted.slice(2, -1).replaceAll("''", "'");
}

function literal(quoted: string): string {
  return `'${contentOf(quoted).replaceAll("'", "''")}'`;
}

function objectId(quoted: string): string {
  return `to_regclass('${common(contentOf(quoted)).replaceAll("'", "''")}')::oid::int`;
}

function jobIndex(quoted: string): string {
  return `select i.indexrelid::int from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = ${objectId(quoted)}::oid and a.attname = '_cf_job_id'`;
}

/** Texts have no limit here, and dates and times are texts, because Postgres keeps one digit less. The type itself becomes a comment. */
function postgresType(type: string): string {
  const [base = ""] = type.split("(");
  if (base === "decimal") return type.replace("decimal", "numeric");
  const types: Readonly<Record<string, string>> = {
    bit: "boolean",
    tinyint: "smallint",
    float: "double precision",
    binary: "bytea",
    varbinary: "bytea",
  };
  return types[base] ?? (/^(smallint|int|bigint|real)$/.test(base) ? base : "text");
}

interface Definition {
  readonly name: string;
  readonly type: string;
  readonly rest: string;
}

function definitionsOf(list: string): readonly (Definition | string)[] {
  const parts = list.match(/(?:\[(?:[^\]]|\]\])+\]|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^,[(])+/g) ?? [];
  return parts.map((part) => {
    const match = /^\s*(\[(?:[^\]]|\]\])+\]) ([a-z0-9]+(?:\([^)]*\))?)(.*)$/s.exec(part);
    return match === null ? part : { name: common(match[1]!), type: match[2]!, rest: common(match[3]!) };
  });
}

function createTable(sql: string): string {
  const [, name, list] = new RegExp(`^create table (${table}) \\((.*)\\)$`, "s").exec(sql)!;
  const definitions = definitionsOf(list!);
  const columns = definitions.map((each) =>
    typeof each === "string" ? common(each) : `${each.name} ${postgresType(each.type)}${each.rest}`,
  );
  return `create table ${common(name!)} (${columns.join(", ")});\n${comments(name!, definitions)}`;
}

function addColumns(name: string, list: string): string {
  const definitions = definitionsOf(list);
  const columns = definitions.map((each) =>
    typeof each === "string" ? each : `add column ${each.name} ${postgresType(each.type)}${each.rest}`,
  );
  return `alter table ${common(name)} ${columns.join(", ")};\n${comments(name, definitions)}`;
}

function comments(name: string, definitions: readonly (Definition | string)[]): string {
  return definitions
    .filter((each) => typeof each !== "string")
    .map((each) => `comment on column ${common(name)}.${each.name} is '${each.type}'`)
    .join(";\n");
}
