import { TerminalFailure } from "../domain/failure.ts";
import type { OpenRequest } from "./sink.ts";

/** How a writer ends, the same for all sinks: it takes rows while it is open, and is staged or aborted after that. */
export interface WriterLife {
  /** Runs `work` while it is open. One that has failed leaves nothing behind, whoever forgets to abort it. */
  whileOpen<T>(work: () => Promise<T>): Promise<T>;
  /** Throws TerminalFailure SINK_CLOSED where it was staged or aborted. */
  checkOpen(): void;
  /** From now on its result waits for the commit. */
  setStaged(): void;
  abort(): Promise<void>;
}

/** `undo` is called once at most, with what the writer was until then. */
export function createWriterLife({ output }: OpenRequest, undo: (from: "open" | "staged") => Promise<void>): WriterLife {
  let state: "open" | "staged" | "ended" = "open";

  const checkOpen = (): void => {
    if (state === "open") return;
    throw new TerminalFailure({ code: "SINK_CLOSED", message: `the output ${output} takes no more: it was staged or aborted` });
  };
  const abort = async (): Promise<void> => {
    const before = state;
    state = "ended";
    if (before !== "ended") await undo(before);
  };
  return {
    async whileOpen(work) {
      checkOpen();
      try {
        return await work();
      } catch (error) {
        await abort().catch(() => {});
        throw error;
      }
    },
    checkOpen,
    setStaged: () => void (state = "staged"),
    abort,
  };
}
