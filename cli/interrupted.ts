const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Why a verb ended before it was done: a person or a supervisor stopped it. */
export class Interrupted extends Error {
  /** 128 and the signal's number, as shells have it. */
  readonly exitCode: number;

  constructor(signal: keyof typeof exitCodes) {
    super(`stopped by ${signal}`);
    this.exitCode = exitCodes[signal];
  }
}
