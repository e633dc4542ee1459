import { spawn } from "node:child_process";
import { messageOf } from "../domain/failure.ts";

const parseMsMax = 20_000;

/** Gives a plugin's source to one of our programs that parse it and run nothing of it, and returns the JSON that it prints. Throws Error in one line. */
export async function parsePython<T>(python: string, program: string, source: string): Promise<T> {
  const process = spawn(python, ["-I", "-S", program], { stdio: ["pipe", "pipe", "pipe"], timeout: parseMsMax, killSignal: "SIGKILL" });
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let [answer, errors] = ["", ""];
  process.stdout.setEncoding("utf8").on("data", (text: string) => (answer += text));
  process.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-2000)));
  process.on("error", reject).on("close", (code, signal) => {
    try {
      resolve(JSON.parse(answer) as T);
    } catch (cause) {
      const why = signal === null ? `status ${code}` : signal;
      reject(new ParserGaveUp(`Python's parser gave up on it (${why}): ${errors.trim().split("\n").at(-1) ?? messageOf(cause)}`));
    }
  });
  // A parser that has given up does not read to the end.
  process.stdin.on("error", () => {});
  process.stdin.end(source);
  return promise;
}

export class ParserGaveUp extends Error {}
