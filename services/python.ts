import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { messageOf, TerminalFailure } from "../domain/failure.ts";
import { candidatesOf } from "./path.ts";

const run = promisify(execFile);

export interface Python {
  /** The interpreter itself, behind wrappers and virtual environments. */
  readonly path: string;
  /** Such as `3.11`. */
  readonly version: string;
}

const oldest = [3, 10] as const;

/**
 * The Python that everything else is made with: `asked` or CASPARIAN_PYTHON where given, otherwise the first `python3` on the PATH that
 * works and is new enough. Throws TerminalFailure PYTHON_UNUSABLE that says what was found.
 */
export async function findPython(asked: string | undefined = process.env["CASPARIAN_PYTHON"]): Promise<Python> {
  const candidates = asked === undefined ? candidatesOf("python3") : [asked];
  const findings: string[] = [];
  for (const candidate of candidates) {
    try {
      const python = await examine(candidate);
      if (isNewEnough(python.version)) return python;
      findings.push(`${candidate} is Python ${python.version}`);
    } catch (error) {
      findings.push(`${candidate} does not run: ${lastLine(messageOf(error))}`);
    }
  }
  throw new TerminalFailure({
    code: "PYTHON_UNUSABLE",
    message: `no Python ${oldest.join(".")} or newer: ${findings.join("; ") || "there is no python3 on the PATH"}`,
    hint: "Install Python 3, or say where it is: CASPARIAN_PYTHON=/path/to/python3, or [python] interpreter in casparian.toml",
  });
}

async function examine(candidate: string): Promise<Python> {
  // A virtual environment may be removed any time, so the interpreter that it was made from is used.
  const script = "import sys; print(getattr(sys, '_base_executable', '') or sys.executable); print('%d.%d' % sys.version_info[:2])";
  const { stdout } = await run(candidate, ["-c", script], { timeout: 20_000 });
  const [path = candidate, version = ""] = stdout.trim().split("\n");
  return { path, version };
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
