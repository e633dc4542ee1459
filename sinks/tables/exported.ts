/** Results of an output in a table, by the names that they had while they were staged. */
export type TableResults = readonly { readonly jobId: string; readonly name: string }[];

/** What came of copying the rows of some results out of a table. */
export type Export<Copied> =
  | { readonly rows: number; readonly copied: readonly Copied[] }
  /** Nothing was read: these results are not visible in the table, or it has not the column, or the rows of one are not to be told from another's. */
  | { readonly missing: readonly string[] }
  | { readonly lacks: string }
  | { readonly shared: string };

export interface ExportedColumn {
  readonly name: string;
  /** As the table has it, in the database's words. */
  readonly type: string;
}
