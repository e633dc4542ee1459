import { areOfOneJob, resultOf } from "../result-name.ts";
import type { OpenRequest } from "../sink.ts";
import type { ArrowMetadata } from "../../arrow/type.ts";
import { readSummary } from "./footer.ts";
import type { FileKind, FoundFile } from "../files/commit.ts";
import { readExisting } from "../files/read-existing.ts";
import { TerminalFailure } from "../../domain/failure.ts";

/**
 * What a file says of itself in its footer's key-value metadata, so that a commit can tell the file that it looks for from all
 * others, and a person which job made it: `casparian.staged` is the name of the one staging, `casparian.result` of the result
 * that the file stands for, whichever attempt wrote it.
 */
export function ownKeyValues(request: OpenRequest, stagedName: string): readonly { readonly key: string; readonly value: string }[] {
  const { lineage } = request;
  return [
    { key: stagedKey, value: stagedName },
    { key: resultKey, value: resultOf(request) },
    { key: "casparian.job", value: request.jobId },
    { key: "casparian.attempt", value: String(request.attempt) },
    { key: "casparian.output", value: request.output },
    { key: "casparian.file_version", value: lineage.fileVersionId },
    { key: "casparian.source_hash", value: lineage.sourceHash },
    { key: "casparian.artifact", value: request.artifactHash },
    { key: "casparian.plugin", value: lineage.pluginVersion },
    { key: "casparian.processed_at", value: lineage.processedAt.toISOString() },
  ];
}

const prefix = "casparian.";
const stagedKey = `${prefix}staged`;
const resultKey = `${prefix}result`;
export const arrowSchemaKey = "ARROW:schema";

/** Parquet files say in their footers what they are. */
export const parquetFiles: FileKind = {
  suffix: ".parquet",
  marks: ["result"],
  async read(path) {
    const owner = await ownerOf(path);
    return typeof owner === "string" ? owner : foundFile(owner);
  },
};

function foundFile({ staged, result }: { readonly staged: string; readonly result: string }): FoundFile {
  return {
    isStaging: ({ name }) => name === staged,
    isResult: ({ marks }) => marks["result"] === result,
    isOfJob: ({ marks }) => areOfOneJob(String(marks["result"]), result),
  };
}

/** The plugin's metadata without the keys that this sink writes itself; a plugin that reads our files passes them on. */
export function withoutOwnKeys(metadata: ArrowMetadata): ArrowMetadata {
  return metadata.filter(({ key }) => {
    const text = Buffer.from(key).toString("utf8");
    return text !== arrowSchemaKey && !text.startsWith(prefix);
  });
}

/** Which staging and result a file holds: "nothing" where there is no file, "foreign" where it is none of ours. */
export function ownerOf(path: string): Promise<{ readonly staged: string; readonly result: string } | "nothing" | "foreign"> {
  return readExisting(path, async (file) => {
    try {
      const { keyValues } = await readSummary(file, path);
      const [staged, result] = [keyValues.get(stagedKey), keyValues.get(resultKey)];
      return staged === undefined || result === undefined ? "foreign" : { staged, result };
    } catch (error) {
      if (error instanceof TerminalFailure && error.code === "SINK_UNREADABLE") return "foreign";
      throw error;
    }
  });
}
