import { hintsMax } from "../hints.ts";
import type { NativeMessage } from "./native-message.ts";

/** What is to be told, in bounded memory: while a message is on its way, further changes are gathered, and too many become a number. */
export interface Outbox {
  tell(message: NativeMessage): void;
  changed(path: string): void;
  appeared(path: string): void;
}

/** `send` calls back when the message has left. */
export function createOutbox(send: (message: NativeMessage, onSent: () => void) => void): Outbox {
  let changed = new Set<string>();
  let appeared = new Set<string>();
  let unnamed = 0;
  let isSending = false;
  return {
    tell: (message) => send(message, () => {}),
    changed: (path) => gather(changed, path),
    appeared: (path) => gather(appeared, path),
  };

  function gather(paths: Set<string>, path: string): void {
    if (unnamed > 0 || changed.size + appeared.size >= hintsMax) unnamed += 1;
    else paths.add(path);
    // What one call of the library tells goes out together.
    if (!isSending) setImmediate(flush);
    isSending = true;
  }

  function flush(): void {
    const message: NativeMessage =
      unnamed > 0
        ? { kind: "flood", changes: unnamed + changed.size + appeared.size }
        : { kind: "changes", changed: [...changed], appeared: [...appeared] };
    [changed, appeared, unnamed] = [new Set(), new Set(), 0];
    send(message, () => {
      isSending = unnamed + changed.size + appeared.size > 0;
      if (isSending) flush();
    });
  }
}
