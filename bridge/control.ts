import type { Socket } from "node:net";
import type { ProcessEnd } from "./failure.ts";
import type { SandboxLack } from "./sandbox.ts";

/** What a parent says when it has loaded what it is to load. */
export interface Ready {
  /** Its own, anonymous memory. */
  readonly memoryBytes: number;
  /** The statement after which there were threads that no fork takes along; undefined where none was. */
  readonly threads: string | undefined;
}

export interface ControlHandlers {
  /** Its walls stand, but for these; no foreign code has run yet. Called once, and first of all. */
  onConfined(lacks: readonly SandboxLack[]): void;
  /** `parentBytes`: the parent's own memory then. */
  onExit(id: number, end: ProcessEnd, parentBytes: number | undefined): void;
  /** A library's import code, which runs in the warm parent, has tampered with it. */
  onNonsense(): void;
}

/** Longer than any that the bridge sends. */
const lineBytesMax = 64 * 1024;
const causes = ["memory", "processes", "files", "scratch", "killed"] as const;

/**
 * Reads what the warm parent says, one JSON object a line; resolves when it is ready. Libraries' code runs in the parent
 * as well, so nothing is believed to have the right form, and what is no message is not kept.
 */
export function readControl(control: Socket, handlers: ControlHandlers): Promise<Ready> {
  return new Promise((resolve) => {
    let begun = "";
    let nonsense = false;
    let confined = false;
    control.setEncoding("utf8").on("data", (text: string) => {
      const lines = (begun + text).split("\n");
      begun = lines.pop() ?? "";
      if (!nonsense && begun.length <= lineBytesMax && lines.every((line) => take(line))) return;
      begun = "";
      nonsense = true;
      handlers.onNonsense();
    });

    function take(line: string): boolean {
      const message = parseObject(line);
      const ready = readReady(parseObject(message?.["ready"]));
      const exit = parseObject(message?.["exit"]);
      if (!confined) {
        confined = true;
        handlers.onConfined(message?.["confined"] as readonly SandboxLack[]);
      } else if (ready !== undefined) resolve(ready);
      else if (exit !== undefined && typeof exit["id"] === "number")
        handlers.onExit(exit["id"], readEnd(exit), countIn(exit, "parentBytes"));
      else return false;
      return true;
    }
  });
}

function readReady(ready: Readonly<Record<string, unknown>> | undefined): Ready | undefined {
  if (ready === undefined) return undefined;
  const threads = ready["threads"];
  return { memoryBytes: countIn(ready, "memoryBytes") ?? 0, threads: typeof threads === "string" ? threads : undefined };
}

function readEnd(exit: Readonly<Record<string, unknown>>): ProcessEnd {
  const count = (key: string): number | undefined => countIn(exit, key);
  return {
    code: count("code"),
    signal: count("signal"),
    cause: causes.find((cause) => cause === exit["cause"]),
    peakMemoryBytes: count("peakMemoryBytes"),
    failed: typeof exit["failed"] === "string" ? exit["failed"] : undefined,
  };
}

function countIn(object: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = object[key];
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** Of a text that holds a JSON object, or of such an object. */
function parseObject(given: unknown): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = typeof given === "string" ? JSON.parse(given) : given;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
