import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { WatchAdapter, WatchEvents } from "./adapter.ts";
import type { NativeMessage, NativeOrder } from "./native-message.ts";

/** The library's call takes microseconds; one that is under way for so long hangs. Milliseconds. */
const callMsMax = 5_000;

/**
 * Watches with `@parcel/watcher`, in a process of its own (`native-process.ts`): 80 MB for any tree, and 0.2 kB for each file in it.
 *
 * Of its own, because the library can hang its process for good (when no inotify instance is left), can crash it, and can leave kernel watches
 * behind when it fails half-way (its issues 49, 97, 243, 246). A process is ended, and with it all of that.
 */
export function nativeAdapter(program = fileURLToPath(new URL("./native-process.ts", import.meta.url))): WatchAdapter {
  return ({ root, globs }, events) => {
    // In a session of its own: keys pressed in the terminal must not stop or interrupt it. It ends when its channel to us does.
    const child = fork(program, { detached: true, execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"], serialization: "advanced" });
    const { promise: gone, resolve: onGone } = Promise.withResolvers<void>();
    let over = false;
    let hanging: NodeJS.Timeout | undefined;

    child.on("message", (message: NativeMessage) => {
      if (message.kind === "calling") hanging = setTimeout(() => end(hung()), callMsMax);
      else if (message.kind === "called") clearTimeout(hanging);
      else if (message.kind === "ended") end(withCode(message.message, message.code));
      else if (!over) tell(message, events);
    });
    child.on("error", (error) => {
      end(error);
      if (child.pid === undefined) onGone();
    });
    child.on("exit", (status, signal) => {
      onGone();
      end(new Error(`the watching process ended with ${signal ?? `exit code ${status}`}`));
    });
    child.send({ root, globs } satisfies NativeOrder, () => {});

    return {
      close() {
        over = true;
        stop();
        return gone;
      },
    };

    function end(error: unknown): void {
      if (over) return;
      over = true;
      stop();
      events.ended(error);
    }

    function stop(): void {
      clearTimeout(hanging);
      child.kill("SIGKILL");
    }
  };
}

function tell(message: NativeMessage & { readonly kind: "ready" | "changes" | "flood" | "lost" }, events: WatchEvents): void {
  if (message.kind === "changes") {
    for (const path of message.changed) events.changed(path);
    for (const path of message.appeared) events.appeared(path);
  } else if (message.kind === "flood") events.flooded(message.changes);
  else if (message.kind === "lost") events.lost(message.reason);
  else events.ready();
}

function hung(): Error {
  return withCode("no inotify instance is left", "EMFILE");
}

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
