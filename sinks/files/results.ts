import { TerminalFailure } from "../../domain/failure.ts";
import type { Sink, StagedOutput } from "../sink.ts";
import { commitStaged, isCommitted, type FileKind, type StagedName } from "./commit.ts";
import { removeStaging, sweepStaging } from "./staging.ts";
import { folderOf } from "./target.ts";

/** What becomes of staged files, the same for all sinks that write one file a result into the folder of a `scheme://folder` URI. */
export function fileResults(
  kind: FileKind,
  { scheme, baseDir }: { readonly scheme: string; readonly baseDir: string },
): Pick<Sink, "commit" | "discard" | "isCommitted" | "sweep"> {
  const folder = (uri: string): string => folderOf(uri, scheme, baseDir);
  const stagedOf = ({ staged, sizeBytes, output }: StagedOutput): StagedName => {
    const { name, target, ...marks } = staged;
    if (typeof name !== "string" || typeof target !== "string" || !kind.marks.every((mark) => mark in marks))
      throw new TerminalFailure({
        code: "STAGED_LOST",
        message: `the staged result of ${output} was not staged by ${scheme}://`,
        data: { staged },
      });
    return { name, target, sizeBytes, marks };
  };
  return {
    async commit(output, replaced = []) {
      await commitStaged({
        ...stagedOf(output),
        kind,
        folder: folder(output.uri),
        replaced: replaced.map(stagedOf),
        isAlone: output.mode === "overwrite",
      });
    },
    isCommitted: (output) => isCommitted(kind, folder(output.uri), stagedOf(output)),
    async discard(output) {
      await removeStaging(folder(output.uri), stagedOf(output).name);
    },
    sweep: async (uri, isAlive) => sweepStaging(folder(uri), isAlive),
  };
}
