import { WrongUse } from "./failure.ts";

/** What becomes of a file whose columns are not those of the contract; rows that break a check are set aside in any case. */
export const contractPolicies = ["evolve", "freeze", "quarantine"] as const;
export type ContractPolicy = (typeof contractPolicies)[number];

/** What each value of a column must be; nulls pass all of it. Bounds and values are texts, as `casparian` prints values, so they are exact. */
export interface ColumnChecks {
  readonly min?: string | undefined;
  readonly max?: string | undefined;
  /** A regular expression of JavaScript, with flag `u`, which the whole value must match. */
  readonly pattern?: string | undefined;
  readonly oneOf?: readonly string[] | undefined;
  /** No value twice in a file. */
  readonly unique?: boolean | undefined;
}

export interface ContractColumn {
  readonly name: string;
  /** In Arrow's words: `decimal128(10, 2)`. */
  readonly type: string;
  readonly nullable: boolean;
  readonly checks?: ColumnChecks | undefined;
}

/** What the rows of one output of a plugin look like. */
export interface Contract {
  readonly columns: readonly ContractColumn[];
  readonly policy: ContractPolicy;
  /** More rows set aside than this, of one file, fail its job; null for no such limit. */
  readonly rowsMax: number | null;
  /** The same as a share of the rows received, from 0 to 1. */
  readonly shareMax: number | null;
}

export type ContractState = "PROPOSED" | "APPROVED" | "RETIRED";

/** One version of a contract as it is on record; only its state ever changes. */
export interface ContractVersion extends Contract {
  readonly id: string;
  readonly plugin: string;
  readonly output: string;
  /** From 1. */
  readonly version: number;
  readonly state: ContractState;
}

/**
 * How a column that came differs from the contract's: `widened`, where its type holds every value of the contract's type; `narrowed` where it
 * does not, so also where the two have nothing in common.
 */
export interface ColumnChange {
  readonly kind: "added" | "removed" | "widened" | "narrowed";
  readonly column: string;
  /** The contract's type, and the one that came. */
  readonly from: string | null;
  readonly to: string | null;
}

/** One line for people: `widened amount: int32 → int64`. */
export function describeChange({ kind, column, from, to }: ColumnChange): string {
  return `${kind} ${column}: ${[from, to].filter((type) => type !== null).join(" → ")}`;
}

/** Why a row was set aside; null for the column where it is the row as a whole. */
export interface RejectionReason {
  readonly column: string | null;
  readonly reason: string;
  /** That an earlier row of the file has the same value in a column that may have none twice. */
  readonly isRepeated?: boolean | undefined;
}

/** A row that was set aside. */
export interface RejectedRow {
  /** Whether the contract or the plugin itself refused it. */
  readonly origin: "CONTRACT" | "PLUGIN";
  /** From 1, in what the plugin yielded for the output, or set aside from it. */
  readonly rowNumber: number;
  /** Where the plugin says that it lies in the file. */
  readonly filePosition: string | null;
  /** At least one. */
  readonly reasons: readonly RejectionReason[];
  /** As it came: a JSON object of the columns' values. */
  readonly raw: string;
}

/** All rows that one output of an attempt has set aside. */
export interface RejectedRows {
  readonly rows: readonly (RejectedRow & {
    /** In which of the pieces it is; null where only its text is kept. */
    readonly piece: number | null;
  })[];
  /** A stream of Arrow's IPC format in pieces: the schema, then the rows of each piece in the order of their numbers. Empty where none are kept so. */
  readonly pieces: readonly Uint8Array[];
}

/** `5%` or `0.05`. Throws WrongUse. */
export function parseShare(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? [];
  const share = Number(digits) / (percent === "%" ? 100 : 1);
  if (share >= 0 && share <= 1) return share;
  throw new WrongUse(`"${text}" is no share`, "Give it like 5% or 0.05");
}
