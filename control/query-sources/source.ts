import type { Connections } from "../../domain/connection.ts";
import type { ResultRow } from "../../db/result.ts";
import type { AttachedDatabase } from "../../query/engine.ts";
import type { RowGroup } from "../../query/view.ts";

/** Rows of one output in files that are read alike. */
export interface ViewPart extends Omit<RowGroup, "rows"> {
  readonly plugin: string;
  readonly output: string;
  readonly paths: readonly string[];
  /** SQL for the rows, of SQL for the list of the paths. */
  rows(paths: string): string;
}

/** The results of a kind of sink, ready to be read from local files. */
export interface OpenedResults {
  readonly parts: readonly ViewPart[];
  /** What the SQL of the parts takes for given. */
  readonly databases?: readonly AttachedDatabase[];
  /** Throws TransientFailure OUTPUT_OVERTAKEN where what was read is no longer what it was when it was opened. */
  requireUnchanged(): Promise<void>;
}

/** What a kind of sink needs to open results. */
export interface Opening {
  /** Relative sinks are below it. */
  readonly home: string;
  /** Servers that sinks may name. */
  readonly connections: Connections;
  readonly signal: AbortSignal;
  readonly fetching: Fetching;
}

/** Where rows that are not in local files are copied to, for the time of the query. */
export interface Fetching {
  readonly folder: string;
  /** To be told as they come. Throws TerminalFailure QUERY_FETCH_MAX where they are too many. */
  onBytes(bytes: number): void;
}

/**
 * Opens results of one kind of sink: finds their files, or fetches them. Throws TerminalFailure OUTPUT_… that name job and place where they are
 * not what the record says.
 */
export type OpenResults = (results: readonly ResultRow[], opening: Opening) => Promise<OpenedResults>;
