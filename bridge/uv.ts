import { execFile } from "node:child_process";
import { messageOf, TerminalFailure, TransientFailure } from "../domain/failure.ts";

export interface UvCall {
  readonly uv: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** What could not be done, for the message: `the plugin's dependencies can't be locked`. */
  readonly failed: string;
  readonly code: string;
  readonly hint: string;
  readonly signal?: AbortSignal | undefined;
  /** Set for uv beside what this process has. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** An exit code that also is an answer. */
  readonly exitCodeToo?: number | undefined;
}

const outputBytesMax = 64 * 1024 * 1024;
const wordsMax = 4_000;

/**
 * Runs uv and returns its stdout. The registry, certificates and proxy are those of the user's environment and uv's configuration.
 * Throws TransientFailure `<code>_UNREACHABLE` where the registry did not answer or the machine is out of space, and TerminalFailure
 * `<code>`, both with uv's own words; rejects with the signal's reason.
 */
export async function runUv(call: UvCall): Promise<string> {
  return (await askUv(call)).stdout;
}

/** The same, with what it said on stderr. */
export async function askUv(call: UvCall): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly stdout: string; readonly stderr: string }>();
  const env = { ...process.env, ...call.env, UV_NO_PROGRESS: "1", NO_COLOR: "1" };
  // Another project's environment that happens to be active is not to be touched.
  Reflect.deleteProperty(env, "VIRTUAL_ENV");
  const options = { cwd: call.cwd, env, maxBuffer: outputBytesMax, signal: call.signal };
  execFile(call.uv, [...call.args], options, (error, stdout, stderr) => {
    if (error === null || error.code === call.exitCodeToo) resolve({ stdout, stderr });
    else if (call.signal?.aborted === true) reject(call.signal.reason);
    else reject(failureOf(call, stderr.trim() === "" ? messageOf(error) : stderr));
  });
  return promise;
}

function failureOf(call: UvCall, stderr: string): TerminalFailure | TransientFailure {
  const words = wordsOf(stderr);
  const message = `${call.failed}: ${words}`;
  if (!mayPass(words)) return new TerminalFailure({ code: call.code, message, hint: call.hint, data: { uv: words } });
  return new TransientFailure({
    code: `${call.code}_UNREACHABLE`,
    message,
    hint: "Check the network and uv's settings (UV_DEFAULT_INDEX, SSL_CERT_FILE, proxy).",
    data: { uv: words },
  });
}

function mayPass(words: string): boolean {
  return /error sending request|client error \(Connect\)|dns error|timed out|connection (reset|refused|closed)|network was disabled|50[0234] |No space left|429 Too Many/i.test(
    words,
  );
}

/** uv's warnings and steps come before its error. */
function wordsOf(stderr: string): string {
  const lines = stderr.trim().split("\n");
  const first = lines.findIndex((line) => /^\s*(error|×|x )/i.test(line));
  return lines
    .slice(Math.max(0, first))
    .join("\n")
    .replace(/^error: /, "")
    .slice(0, wordsMax);
}
