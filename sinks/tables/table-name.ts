/** A table of a database. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** The table as it stands in a URI, percent-encoded; so are dots within a name. */
export function writeTableName({ schema, name }: TableName): string {
  return [schema, name].map((part) => encodeURIComponent(part).replaceAll(".", "%2E")).join(".");
}
