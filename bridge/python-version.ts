import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { messageOf, TerminalFailure } from "../domain/failure.ts";

const run = promisify(execFile);
const versions = new Map<string, Promise<string>>();

/** Such as `3.11`. Throws TerminalFailure PYTHON_UNFIT if the interpreter does not run. */
export async function minorVersion(interpreter: string): Promise<string> {
  return (await pythonVersion(interpreter)).split(".").slice(0, 2).join(".");
}

/** Whether a version such as `3.11.7` is one of those that are asked for, such as `>=3.10,<3.14` or `3.11`. */
export function fitsVersion(version: string, specifier: string): boolean {
  return specifier.split(",").every((part) => fits(version, part.trim()));
}

/** Such as `3.11.7`; asked once in a process. Throws TerminalFailure PYTHON_UNFIT if the interpreter does not run. */
export function pythonVersion(interpreter: string): Promise<string> {
  let version = versions.get(interpreter);
  if (version === undefined) {
    version = askVersion(interpreter);
    versions.set(interpreter, version);
    version.catch(() => versions.delete(interpreter));
  }
  return version;
}

async function askVersion(interpreter: string): Promise<string> {
  try {
    const { stdout } = await run(interpreter, ["-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"], {
      timeout: 20_000,
    });
    return stdout.trim();
  } catch (cause) {
    const hint = "Install Python 3.10 or newer, or say where it is with CASPARIAN_PYTHON.";
    throw new TerminalFailure({ code: "PYTHON_UNFIT", message: `${interpreter} does not run: ${messageOf(cause)}`, hint, cause });
  }
}

/** One clause of a version specifier (PEP 440); a bare version stands for all that begin with it. */
function fits(version: string, clause: string): boolean {
  const [, operator = "", asked = "", any] = /^(>=|<=|==|!=|~=|>|<)?\s*(\d+(?:\.\d+)*)(\.\*)?$/.exec(clause) ?? [];
  if (asked === "") return false;
  const begins = (prefix: string) => version === prefix || version.startsWith(`${prefix}.`);
  const order = compare(version, asked);
  const equal = operator === "" || any !== undefined ? begins(asked) : order === 0;
  if (operator === ">=") return order >= 0;
  if (operator === "<=") return order <= 0;
  if (operator === ">") return order > 0;
  if (operator === "<") return order < 0;
  if (operator === "~=") return order >= 0 && begins(asked.split(".").slice(0, -1).join("."));
  return operator === "!=" ? !equal : equal;
}

function compare(one: string, other: string): number {
  const [left, right] = [one, other].map((text) => text.split(".").map(Number)) as [number[], number[]];
  const at = [0, 1, 2].find((index) => (left[index] ?? 0) !== (right[index] ?? 0));
  return at === undefined ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
