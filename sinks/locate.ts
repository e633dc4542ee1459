import { dirname, resolve } from "node:path";
import { locateFile, type FileScheme, type KeptResult, type Located } from "./files/locate.ts";
import { onFiles } from "./files/refusal.ts";
import { folderOf } from "./files/target.ts";
import { parquetAddress } from "./partition/address.ts";
import { locateFolder } from "./partition/locate.ts";

/**
 * Where the rows of a committed result in files are. The folder is the one that the record names or, where the home has moved since, the one
 * that the URI names now.
 */
export async function locateResult(scheme: FileScheme, result: KeptResult, baseDir: string): Promise<Located> {
  const isFolder = scheme === "parquet" && parquetAddress(result.uri).partition.length > 0;
  const folders = [...new Set([dirname(result.target), resolve(folderOf(result.uri, scheme, baseDir))])];
  let missing: Located | undefined;
  for (const folder of folders) {
    const locate = () => (isFolder ? locateFolder(folder, result) : locateFile(folder, scheme, result));
    const located = await onFiles(`${folder} can't be read`, locate);
    if (located.path !== null) return located;
    missing ??= located;
  }
  return missing!;
}
