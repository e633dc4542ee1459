import { TransientFailure } from "../domain/failure.ts";
import type { Shell } from "./shell.ts";

/**
 * Waits for Ctrl-C, SIGTERM, or the end of a part that the system can't do without, and stops it in order. Being stopped is how these
 * verbs end, so it is no failure; a death throws TransientFailure SYSTEM_DIED.
 */
export async function runUntilStopped(
  system: { readonly died: Promise<string>; stop(): Promise<void> },
  { terminal, signal }: Pick<Shell, "terminal" | "signal">,
): Promise<void> {
  const interrupted = new Promise<null>((resolve) => signal.addEventListener("abort", () => resolve(null), { once: true }));
  const reason = signal.aborted ? null : await Promise.race([system.died, interrupted]);
  terminal.progress("Stopping");
  await system.stop();
  terminal.clearProgress();
  // Everything of ours has ended; a library's thread or socket that has not must not hold the process.
  setTimeout(() => process.exit(), lingerMs).unref();
  if (reason !== null) {
    throw new TransientFailure({ code: "SYSTEM_DIED", message: reason, hint: "Start again: what was under way goes on where it was" });
  }
}

const lingerMs = 5_000;
