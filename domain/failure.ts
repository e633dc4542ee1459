/**
 * The two families of failure that the product knows.
 *
 * A terminal failure will happen again however often the same thing is tried: bad input, a plugin that raises, a refused
 * permission. A transient failure may go away by itself: a database that restarts, a worker that died. Only
 * `activities/failure.ts` translates these into Temporal's types.
 */

/** What every failure tells: what failed and what was given (`message`), and what to do next (`hint`). */
export interface FailureDetail {
  /** Stable and upper-case, for programs and searches: `PLUGIN_RAISED`. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Further facts, JSON only and never secrets: a traceback, a path, a limit. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

abstract class Failure extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(detail: FailureDetail) {
    super(detail.message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = new.target.name;
    this.code = detail.code;
    this.hint = detail.hint;
    this.data = detail.data ?? {};
  }
}

/** Trying again can't help. */
export class TerminalFailure extends Failure {}

/** Trying again may help. */
export class TransientFailure extends Failure {}

/** A service that a command needs does not answer; the command line exits with 3. */
export class ServiceUnreachable extends TransientFailure {
  constructor(detail: Omit<FailureDetail, "code">) {
    super({ ...detail, code: "SERVICE_UNREACHABLE" });
  }
}

/** What a person asked for can't be done as asked; the command line exits with 2. */
export class WrongUse extends TerminalFailure {
  constructor(message: string, hint?: string) {
    super({ code: "WRONG_USE", message, hint });
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
