import { join } from "node:path";
import { parse } from "smol-toml";
import { WrongUse } from "../domain/failure.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { readIfThere } from "./read.ts";

/** Answers the configuration file of the product before this one with what to write instead. */
export function refuseOldFile(home: string): void {
  const location = readLocation(home);
  if (location === undefined) return;
  const isPostgres = /^postgres(ql)?:\/\//.test(location);
  throw new WrongUse(
    `global_config.toml (db_location = ${JSON.stringify(safeUrl(location))}) belongs to an earlier Casparian and isn't read; ` +
      `the configuration is casparian.toml`,
    `Write into ${join(home, "casparian.toml")}:\n\n[database]\nurl = "${isPostgres ? safeUrl(location) : "embedded"}"\n`,
  );
}

function readLocation(home: string): string | undefined {
  const content = readIfThere(join(home, "global_config.toml"));
  if (content === undefined) return undefined;
  try {
    const document = parse(content);
    const database = document["database"];
    const table = typeof database === "object" && !Array.isArray(database) ? (database as Record<string, unknown>) : {};
    const location = document["db_location"] ?? table["db_location"];
    return typeof location === "string" ? location : undefined;
  } catch {
    return undefined;
  }
}
