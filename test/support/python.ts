import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { testTools } from "./tools.ts";

/** Runs each text that it is given by itself, and answers with what it printed or with its traceback. */
const host = `
import contextlib, io, json, sys, traceback
answers = sys.stdout
for line in sys.stdin:
    code, *arguments = json.loads(line)
    sys.argv = ["-c", *arguments]
    printed, error = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    except BaseException:
        error = traceback.format_exc()
    print(json.dumps({"printed": printed.getvalue(), "error": error}), file=answers, flush=True)
`;

interface Interpreter {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  readonly answers: AsyncIterator<string>;
}

const interpreters = new Map<string, Interpreter>();
let last: Promise<unknown> = Promise.resolve();

/**
 * What a Python text prints, without the line's end. Texts of a test file are run by one interpreter, one after another, because loading pyarrow
 * takes most of their time; it ends with the test file's process. In the standard environment unless another one's interpreter is given.
 */
export function runPython(code: string, args: readonly string[] = [], python: string = testTools().environmentPython): Promise<string> {
  const answer = last.then(() => ask(interpreterOf(python), code, args));
  last = answer.catch(() => {});
  return answer;
}

async function ask({ process, answers }: Interpreter, code: string, args: readonly string[]): Promise<string> {
  keepAlive(process, "ref");
  try {
    process.stdin.write(`${JSON.stringify([code, ...args])}\n`);
    const { value, done } = await answers.next();
    if (done === true) throw new Error("the interpreter ended");
    const { printed, error } = JSON.parse(value) as { readonly printed: string; readonly error: string | null };
    if (error !== null) throw new Error(error);
    return printed.replace(/\n$/, "");
  } finally {
    keepAlive(process, "unref");
  }
}

function interpreterOf(python: string): Interpreter {
  const present = interpreters.get(python);
  if (present !== undefined) return present;
  const process = spawn(python, ["-c", host], { stdio: ["pipe", "pipe", "inherit"] });
  const interpreter = { process, answers: createInterface({ input: process.stdout })[Symbol.asyncIterator]() };
  interpreters.set(python, interpreter);
  return interpreter;
}

function keepAlive(process: Interpreter["process"], how: "ref" | "unref"): void {
  process[how]();
  for (const stream of [process.stdin, process.stdout]) (stream as unknown as Socket)[how]();
}
