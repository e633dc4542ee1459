import type { LeftOut } from "../db/scan-difference.ts";
import { countBytes, describeLimit, type SelectionLimits } from "../domain/selection.ts";

/** What a scan tells of the files that one limit left out, one sentence for all of them: a source may have a million. */
export function describeLeftOut(
  { kind, files, bytes, examples }: LeftOut,
  limits: SelectionLimits,
  scope: readonly string[] | null,
): string {
  const amount = `${scope === null ? "" : "at least "}${files} ${files === 1 ? "file" : "files"} (${countBytes(bytes)})`;
  const such = files > examples.length ? `, such as ${examples.join(", ")}` : `: ${examples.join(", ")}`;
  return `${amount} ${describeLimit(kind, limits)} ${files === 1 ? "is" : "are"} left out, as the source says${such}`;
}
