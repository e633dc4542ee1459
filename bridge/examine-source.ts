import { join } from "node:path";
import { describeReach, type GatekeeperFinding } from "../domain/gatekeeper.ts";
import { ParserGaveUp, parsePython } from "./parse-python.ts";

/** What gatekeeper.py tells. */
interface Told {
  readonly found: readonly (Pick<GatekeeperFinding, "subject" | "line" | "column"> & {
    readonly kind: Parameters<typeof describeReach>[0];
  })[];
  /** How many more there are. */
  readonly more: number;
  readonly imports: readonly ImportPlace[];
  readonly gaveUp: string | null;
}

export interface ImportPlace {
  readonly file?: string | undefined;
  readonly module: string;
  readonly line: number;
  readonly column: number;
}

const program = join(import.meta.dirname, "python", "gatekeeper.py");

/**
 * What a plugin's code reaches for, by its syntax tree. Nothing of it is run. Code on which the examination gives up is a finding of
 * its own, because it may be made for that.
 */
export async function examineSource(
  python: string,
  source: string,
): Promise<{ readonly findings: readonly GatekeeperFinding[]; readonly imports: readonly ImportPlace[] }> {
  const told = await tell(python, source);
  const findings = told.found.map((found): GatekeeperFinding => ({ ...found, message: describeReach(found.kind, found.subject) }));
  if (told.more > 0) findings.push(unread(`there are ${told.more} more findings like these, which are not listed`));
  if (told.gaveUp !== null) findings.push(unread(`the code can't be examined: ${told.gaveUp}`));
  return { findings, imports: told.imports };
}

async function tell(python: string, source: string): Promise<Told> {
  try {
    return await parsePython<Told>(python, program, source);
  } catch (error) {
    if (error instanceof ParserGaveUp) return { found: [], more: 0, imports: [], gaveUp: error.message };
    throw error;
  }
}

function unread(message: string): GatekeeperFinding {
  return { kind: "dynamic", subject: "the code", line: null, column: null, message };
}
