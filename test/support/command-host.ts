// A program that runs commands of `casparian` for its parent, one after another, as `bin/casparian.js` runs each one in a process of its own.
import module from "node:module";
import { resolve } from "node:path";
import { Readable, Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { CommandOrder, CommandOutcome } from "./hosted-command.ts";

const root = resolve(import.meta.dirname, "../..");
/** How long a command's connections and timers may take to go after its work is done. */
const lingerMsMax = 20_000;

module.enableCompileCache(resolve(root, "node_modules/.cache/casparian"));
const { main } = await import("../../cli/main.ts");

process.on("message", (order: CommandOrder) => void run(order));
process.once("disconnect", () => process.exit());

async function run({ args, cwd, env, input }: CommandOrder): Promise<void> {
  const before = { listeners: listeners(), resources: process.getActiveResourcesInfo() };
  const [stdout, stderr] = [captured(), captured()];
  Object.defineProperties(process, {
    stdin: { configurable: true, value: Readable.from(input === undefined ? [] : [Buffer.from(input)]) },
    stdout: { configurable: true, value: stdout.stream },
    stderr: { configurable: true, value: stderr.stream },
  });
  setEnvironment(env);
  process.chdir(cwd);
  process.argv = [process.execPath, resolve(root, "bin/casparian.js"), ...args];
  await main(args);
  // A process of its own would end now, unless something that was opened kept it alive.
  const left = await whatIsLeft(before.resources);
  const outcome: CommandOutcome = { exitCode: Number(process.exitCode ?? 0), stdout: stdout.text(), stderr: stderr.text(), left };
  process.exitCode = undefined;
  process.chdir("/");
  for (const [signal, known] of before.listeners)
    for (const listener of process.listeners(signal)) if (!known.includes(listener)) process.off(signal, listener);
  process.send!(outcome);
}

function listeners() {
  return (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => [signal, process.listeners(signal)] as const);
}

function captured(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

function setEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
}

/** Kinds of what a command has opened and not closed; empty as soon as there is none. */
async function whatIsLeft(before: readonly string[]): Promise<readonly string[]> {
  const deadline = performance.now() + lingerMsMax;
  for (;;) {
    const left = process.getActiveResourcesInfo();
    for (const kind of before) if (left.includes(kind)) left.splice(left.indexOf(kind), 1);
    if (left.length === 0 || performance.now() > deadline) return left;
    await setTimeout(2, undefined, { ref: false });
  }
}
