/** A table of a database. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}
