import { TerminalFailure } from "../../domain/failure.ts";
import type { StagedName } from "../files/commit.ts";
import type { Sink, StagedOutput } from "../sink.ts";
import { commitFolder, discardFolder, isFolderCommitted, sweepFolders } from "./commit.ts";
import { placeOf } from "./place.ts";

/** What becomes of staged results that are folders of files. `folderOf` says which folder a URI names. */
export function folderResults(folderOf: (uri: string) => string): Pick<Sink, "commit" | "discard" | "isCommitted" | "sweep"> {
  const place = (uri: string) => placeOf(folderOf(uri));
  return {
    async commit(output, replaced = []) {
      await commitFolder({
        ...stagedOf(output),
        place: place(output.uri),
        replaced: replaced.map(stagedOf),
        isAlone: output.mode === "overwrite",
      });
    },
    isCommitted: (output) => isFolderCommitted(place(output.uri), stagedOf(output)),
    discard: (output) => discardFolder(place(output.uri), stagedOf(output).name),
    sweep: (uri, isAlive) => sweepFolders(place(uri), isAlive),
  };
}

function stagedOf({ staged, sizeBytes, output }: StagedOutput): StagedName {
  const { name, target, ...marks } = staged;
  if (typeof name === "string" && typeof target === "string" && "result" in marks) return { name, target, sizeBytes, marks };
  throw new TerminalFailure({
    code: "STAGED_LOST",
    message: `the staged result of ${output} was not staged by parquet://`,
    data: { staged },
  });
}
