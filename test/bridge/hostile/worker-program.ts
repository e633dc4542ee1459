import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createPluginPool, type PluginLimits } from "../../../bridge/pool.ts";
import { sandboxCapabilities } from "../../../bridge/sandbox.ts";
import { TerminalFailure, TransientFailure } from "../../../domain/failure.ts";
import { quietLog } from "../../support/quiet-log.ts";
import { sha256 } from "../../support/sha256.ts";

/** Stands for a worker, in a process of its own: runs the plugins that its parent process asks for, until that goes away. */
export interface HostileRun {
  readonly name: string;
  readonly source: string;
  readonly input: string;
  readonly limits: PluginLimits;
  readonly packages: Readonly<Record<string, string>>;
}

export interface HostileOutcome {
  /** Undefined where it succeeded. */
  readonly failure?: { readonly name: string; readonly code: string; readonly message: string; readonly hint: string | undefined };
  readonly rows: number;
  readonly logs: readonly { readonly stream: string; readonly text: string }[];
  readonly seconds: number;
  /** What is left of scratch folders. */
  readonly left: readonly string[];
}

const base = realpathSync(process.argv[2] ?? "");
const folder = mkdtempSync(join(tmpdir(), "cf-hostile-"));
const packagesFolder = join(folder, "env", "lib", basename(base), "site-packages");
const python = makeEnvironment();
const pool = createPluginPool({ log: quietLog, requireSandbox: process.argv[3] === "require" });
let runs = 0;

/** A virtual environment of this user's own, with one package in it. */
function makeEnvironment(): string {
  mkdirSync(packagesFolder, { recursive: true });
  mkdirSync(join(folder, "env", "bin"));
  writeFileSync(join(packagesFolder, "package_of_the_plugin.py"), "value = 'as it was installed'\n");
  writeFileSync(join(folder, "env", "pyvenv.cfg"), `home = ${dirname(base)}\n`);
  symlinkSync(base, join(folder, "env", "bin", "python"));
  return join(folder, "env", "bin", "python");
}

async function run({ name, source, input, limits, packages }: HostileRun): Promise<HostileOutcome> {
  runs += 1;
  const inputPath = join(folder, `input-${runs}.json`);
  writeFileSync(inputPath, input.replaceAll("WORKER_PID", String(process.pid)), { mode: 0o600 });
  const plugin = { name, version: "1", artifactHash: sha256(source), sourceCode: source, defaultOutput: "output" };
  const scratchDir = join(folder, "scratch", `job-${runs}`);
  const request = { jobId: String(runs), attempt: 1, plugin, python, inputPath, scratchDir, limits, signal: new AbortController().signal };
  for (const [file, text] of Object.entries(packages)) writeFileSync(join(packagesFolder, file), text);
  let rows = 0;
  const began = performance.now();
  const ended = await pool.run(request, { open: async () => {}, message: async (_output, message) => void (rows += message.rows) }).then(
    ({ logs }) => ({ logs: [...logs] }),
    (error: unknown) => {
      if (!(error instanceof TerminalFailure || error instanceof TransientFailure)) throw error;
      const { code, message, hint, data } = error;
      return { failure: { name: error.name, code, message, hint }, logs: (data["logs"] ?? []) as HostileOutcome["logs"] };
    },
  );
  for (const file of Object.keys(packages)) rmSync(join(packagesFolder, file));
  const left = readdirSync(join(folder, "scratch"), { recursive: true, encoding: "utf8" }).filter((path) => path.includes("job-"));
  return { ...ended, rows, seconds: (performance.now() - began) / 1000, left };
}

process.on("message", ({ id, request }: { readonly id: number; readonly request: HostileRun }) => {
  void run(request).then(
    (outcome) => process.send?.({ id, outcome }),
    (error: unknown) => process.send?.({ id, broken: String(error) }),
  );
});
process.on("disconnect", () => {
  void pool.close().then(() => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  });
});
process.send?.({ walls: await sandboxCapabilities({ python: base }) });
