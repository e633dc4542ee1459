import type { NativeMessage, NativeOrder } from "./native-message.ts";
import { nativeMissing } from "./native-message.ts";
import { messageOf } from "../../domain/failure.ts";
import { createOutbox } from "./native-outbox.ts";
import { watchNatively } from "./native-tree.ts";

/** The program beside ours in which `@parcel/watcher` runs: takes one order, tells what changes, and ends with its channel. */
process.once("message", (order: NativeOrder) => void follow(order));
process.once("disconnect", () => process.exit(0));

async function follow(order: NativeOrder): Promise<void> {
  try {
    const library = await import("@parcel/watcher").catch((error: unknown) => {
      throw Object.assign(new Error(messageOf(error)), { code: nativeMissing });
    });
    await watchNatively(library.default, order, createOutbox(send));
  } catch (error) {
    const message = messageOf(error);
    send({ kind: "ended", code: codeOf(error, message), message }, () => {});
  }
}

function send(message: NativeMessage, onSent: () => void): void {
  // Fails only where nobody listens any more.
  process.send?.(message, undefined, {}, onSent);
}

/** The library tells the system's errors in words only. */
function codeOf(error: unknown, message: string): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  if (message.includes("No space left on device")) return "ENOSPC";
  if (message.includes("Too many open files")) return "EMFILE";
  return message.includes("Cannot allocate memory") ? "ENOMEM" : "";
}
