import { TerminalFailure } from "../domain/failure.ts";

/** Rows that were counted at two places are not the same number. */
export function unbalanced(output: string, counts: string): TerminalFailure {
  return new TerminalFailure({
    code: "LEDGER_UNBALANCED",
    message: `output ${output}: ${counts}`,
    hint: "Nothing was committed; retry the job, and report this if it happens again",
  });
}
