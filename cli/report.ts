import { styleText } from "node:util";
import { CommanderError } from "commander";
import { ServiceUnreachable, TerminalFailure, TransientFailure, WrongUse } from "../domain/failure.ts";
import { printable } from "./format.ts";
import { Interrupted } from "./interrupted.ts";

/** 0 done, 1 failed, 2 wrong use, 3 a service cannot be reached; 128 + number after a signal. */
export type ExitCode = number;

/**
 * Says on stderr why the command ended, and returns its exit code: one line for what failed and one for what to do, and with
 * `--debug` the stack. With `--json` it is one line `{"error": {"code", "message", "hint"}}`, the last one on stderr.
 */
export function reportFailure(thrown: unknown, { json, debug }: { readonly json: boolean; readonly debug: boolean }): ExitCode {
  if (thrown instanceof Interrupted) return thrown.exitCode;
  if (thrown instanceof CommanderError && (thrown.exitCode === 0 || thrown.code === "commander.help")) return thrown.exitCode === 0 ? 0 : 2;
  const failure = describe(thrown);
  if (json) {
    const { code, message, hint } = failure;
    process.stderr.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
  } else {
    const label = (style: "red" | "cyan", text: string): string => styleText(style, text, { stream: process.stderr });
    process.stderr.write(`${label("red", "error:")} ${printable(failure.message, { keepLines: true })}\n`);
    if (failure.hint !== null) process.stderr.write(`${label("cyan", "hint:")} ${printable(failure.hint, { keepLines: true })}\n`);
  }
  if (debug && thrown instanceof Error) process.stderr.write(`${stackOf(thrown)}\n`);
  return failure.exitCode;
}

interface Described {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly exitCode: ExitCode;
}

function describe(thrown: unknown): Described {
  if (thrown instanceof CommanderError) return describeWrongArguments(thrown);
  if (thrown instanceof TerminalFailure || thrown instanceof TransientFailure) {
    const exitCode = thrown instanceof WrongUse ? 2 : thrown instanceof ServiceUnreachable ? 3 : 1;
    return { code: thrown.code, message: thrown.message, hint: thrown.hint ?? null, exitCode };
  }
  const message = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return { code: "UNEXPECTED", message, hint: "This is a defect or a surprise; --debug shows where it happened", exitCode: 1 };
}

function describeWrongArguments({ message }: CommanderError): Described {
  const [first = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const suggestion = rest
    .join(" ")
    .replace(/^\(|\)$/g, "")
    .trim();
  return {
    code: "WRONG_USE",
    message: first,
    hint: suggestion || "casparian help shows the commands; every command has --help",
    exitCode: 2,
  };
}

function stackOf(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}
