/** What two versions of a plugin make of the same files. `before` is the version compared against, `after` the one that is to take its place. */
export interface ComparisonResult {
  /** `SAME`: of every file that was compared both made the same rows, of the same columns, and set the same rows aside. */
  readonly verdict: "SAME" | "DIFFERENT";
  /** False where it ended at the first file that differs. */
  readonly isComplete: boolean;
  readonly files: readonly FileComparison[];
  readonly outputs: readonly OutputComparison[];
  /** Seconds of the plugins' own code, over the files of which both made something; null where there is none. */
  readonly timing: Sides<number> | null;
}

export interface Sides<T> {
  readonly before: T;
  readonly after: T;
}

/** How it is compared. */
export interface ComparisonOptions {
  /** Columns that say which row is which; none unless given. Outputs that lack one are compared without. */
  readonly key: readonly string[];
  /** How much floating-point numbers may differ: `|a - b| <= tolerance * max(1, |a|, |b|)`. Null compares them exactly. */
  readonly tolerance: number | null;
}

export interface FileComparison {
  readonly versionId: string;
  readonly source: string;
  readonly path: string;
  readonly sequence: number;
  readonly contentHash: string;
  /** `failed`: both versions fail on it. `skipped`: its bytes can't be had. Neither is compared. */
  readonly outcome: "same" | "different" | "failed" | "skipped";
  /** Why it was skipped; null where it was not. */
  readonly reason: string | null;
  readonly failures: Sides<FailureText | null>;
  readonly timing: Sides<number | null>;
  readonly outputs: readonly RowCounts[];
}

export interface FailureText {
  readonly code: string;
  readonly message: string;
}

/** How many rows of an output are alike. */
export interface RowCounts {
  readonly output: string;
  /** Null where that version did not yield the output. */
  readonly rows: Sides<number | null>;
  readonly same: number;
  readonly added: number;
  readonly removed: number;
  /** With the same key and other values; 0 without a key. */
  readonly changed: number;
  readonly setAside: Sides<number>;
}

/** The same over all files of which both versions made something. */
export interface OutputComparison extends RowCounts {
  readonly columnsAdded: readonly ComparedColumn[];
  readonly columnsRemoved: readonly ComparedColumn[];
  readonly columnsRetyped: readonly { readonly name: string; readonly types: Sides<string> }[];
  /** Whether it has the columns of the key. */
  readonly isKeyed: boolean;
  /** Keys that a file has more than once, so that which row became which is a guess. */
  readonly keysRepeated: number;
  /** In how many rows the values of a column differ, most first. */
  readonly changes: readonly { readonly column: string; readonly rows: number }[];
  /** Whether the rows that were set aside are the same ones, for the same reasons. */
  readonly isAsideSame: boolean;
  readonly reasons: Sides<readonly ReasonCount[]>;
  readonly examples: readonly RowExample[];
}

export interface ComparedColumn {
  readonly name: string;
  readonly type: string;
}

export interface ReasonCount {
  readonly column: string | null;
  readonly reason: string;
  readonly rows: number;
}

/** A row that differs; values are texts, null where there is none, long ones cut. */
export interface RowExample {
  readonly kind: "added" | "removed" | "changed";
  readonly path: string;
  /** From 1, in what that version yielded. */
  readonly row: Sides<number | null>;
  /** Of a changed row its key and the columns that differ; else all columns that both versions have. */
  readonly values: readonly { readonly column: string; readonly before: string | null; readonly after: string | null }[];
}
