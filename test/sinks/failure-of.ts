import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";

/** The failure that some work ends with. */
export async function failureOf(work: Promise<unknown>): Promise<TerminalFailure | TransientFailure> {
  const failure: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (failure instanceof TerminalFailure || failure instanceof TransientFailure) return failure;
  throw new Error("no failure", { cause: failure });
}
