import type { DialectName } from "./dialect.ts";

/** What an encoding thread is asked: to begin with a part, to go on with it, or to count the rows of a file. */
export type Question =
  /** `stream` holds a whole Arrow IPC stream in its first `bytes` bytes; text goes to `buffer`. */
  | {
      readonly kind: "encode";
      readonly dialect: DialectName;
      readonly rowEnd: string;
      readonly stream: ArrayBuffer;
      readonly bytes: number;
      readonly buffer: ArrayBuffer;
    }
  | { readonly kind: "next"; readonly buffer: ArrayBuffer }
  | { readonly kind: "count"; readonly dialect: DialectName; readonly path: string };

export type Answer =
  | { readonly slice: ArrayBuffer; readonly bytes: number; readonly rows: number; readonly isLast: boolean }
  | { readonly count: number | null }
  | { readonly failure: { readonly code: string; readonly message: string; readonly hint: string | undefined } };

/** Text comes in slices, so that a part whose rows are many times as long as text needs no more memory than others. */
export const sliceBytes = 4 * 1024 * 1024;
