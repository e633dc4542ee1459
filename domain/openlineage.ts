/** Whether and where OpenLineage events of jobs are sent. */
export interface OpenLineageSettings {
  /** Of the jobs in events. */
  readonly namespace: string;
  /** Whether the source code of plugins is sent. */
  readonly sourceCode: boolean;
  /** Null unless asked for: nothing is recorded for sending, and nothing is sent. */
  readonly destination:
    | {
        readonly kind: "http";
        readonly url: string;
        /** Where the key is, never the key itself. */
        readonly apiKey: ApiKeySource | null;
      }
    | { readonly kind: "file"; readonly path: string }
    | null;
}

/** Where an API key is; read anew whenever it is used, so a new one counts at once. */
export type ApiKeySource = { readonly environment: string } | { readonly file: string };
