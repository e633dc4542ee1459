import { TerminalFailure } from "../domain/failure.ts";
import { commitStaged } from "./parquet/commit.ts";
import { createEncodePool } from "./parquet/encode-pool.ts";
import { removeStaging, sweepStaging } from "./parquet/staging.ts";
import { folderOf } from "./parquet/target.ts";
import { createWriter } from "./parquet/writer.ts";
import type { Sink, StagedOutput } from "./sink.ts";

export interface ParquetSinkOptions {
  /** Absolute; relative URIs are below it. */
  readonly baseDir: string;
  /** Encoding threads; 2 unless given. */
  readonly threads?: number;
}

const partBytesMax = Number(process.env.PART ?? 8) * 1024 * 1024;
/** What all writers of a process may gather together; with more than four outputs at once each makes smaller parts. */
const gatheredBytesMax = 64 * 1024 * 1024;
const partBytesMin = 1024 * 1024;

/**
 * Writes each result as one Parquet file into the folder that a `parquet://` URI names. The file grows in the folder's
 * `_casparian_staging`, which readers of folders pass over, and one rename makes it visible.
 */
export function createParquetSink({ baseDir, threads = 2 }: ParquetSinkOptions): Sink & { close(): Promise<void> } {
  const pool = createEncodePool(threads);
  let writers = 0;
  const partBytes = (): number => Math.max(partBytesMin, Math.min(partBytesMax, gatheredBytesMax / Math.max(1, writers)));

  return {
    async open(request) {
      if (request.mode !== "append")
        throw new TerminalFailure({
          code: "SINK_MODE",
          message: `the output ${request.output} asks for mode "${request.mode}", which parquet:// doesn't support`,
          hint: `Configure the topic with mode "append", the only one that parquet:// supports`,
        });
      writers += 1;
      const onEnd = (): void => {
        writers -= 1;
      };
      try {
        return await createWriter({
          request,
          folder: folderOf(request.uri, baseDir),
          pool,
          partsMax: threads + 1,
          partBytes,
          partBytesMax,
          onEnd,
        });
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    commit(output) {
      const { name, target, result } = stagedOf(output);
      return commitStaged({ folder: folderOf(output.uri, baseDir), name, target, result, sizeBytes: output.sizeBytes });
    },
    discard(output) {
      const { name, madeLevels } = stagedOf(output);
      return removeStaging(folderOf(output.uri, baseDir), name, madeLevels);
    },
    sweep: (uri, isAlive) => sweepStaging(folderOf(uri, baseDir), isAlive),
    close: () => pool.close(),
  };
}

function stagedOf({ staged, output }: StagedOutput): { name: string; target: string; result: string; madeLevels: number } {
  const { name, target, result, madeLevels } = staged;
  if (typeof name !== "string" || typeof target !== "string" || typeof result !== "string" || typeof madeLevels !== "number")
    throw new TerminalFailure({
      code: "STAGED_LOST",
      message: `the staged result of ${output} was not staged by parquet://`,
      data: { staged },
    });
  return { name, target, result, madeLevels };
}
