import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** When a scan is killed: so long after it has told of a step, or after it was asked for. */
export interface Kill {
  readonly after: "asked" | "walk" | "compare" | "hash";
  readonly delayMs: number;
}

interface Server {
  readonly child: ChildProcess;
  readonly lines: AsyncIterableIterator<string>;
}

/** Processes that scan and can be killed. One more is always about to be ready, because a start takes longer than a scan. */
export function openScanServers(databaseUrl: string) {
  let spare = start();
  let current: Promise<Server> | undefined;
  return {
    /** True when the scan went through, false when it was killed before. Throws where it failed. */
    async scan(source: string, paths: readonly string[] | null, kill: Kill | null): Promise<boolean> {
      if (current === undefined) [current, spare] = [spare, start()];
      const { child, lines } = await current;
      child.stdin!.write(`${JSON.stringify({ source, paths })}\n`);
      if (kill?.after === "asked") void killAfter(child, kill.delayMs);
      let isDoomed = false;
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
        if (line.value === "done" && !isDoomed && kill?.after !== "asked") return true;
        if (line.value.startsWith("failed")) throw new Error(line.value);
        if (line.value === kill?.after && !isDoomed) {
          isDoomed = true;
          void killAfter(child, kill.delayMs);
        }
        // Told, though doomed: it went through, and whoever comes next finds the process dead.
        if (line.value === "done") break;
      }
      if (kill === null) throw new Error("the scanning process ended by itself");
      await killAfter(child, 0);
      current = undefined;
      return false;
    },
    async close(): Promise<void> {
      for (const server of [spare, current]) (await server)?.child.kill("SIGKILL");
    },
  };

  async function start(): Promise<Server> {
    const program = fileURLToPath(new URL("scan-server.ts", import.meta.url));
    const child = spawn(process.execPath, [program, databaseUrl], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin.on("error", () => {});
    await lines.next();
    return { child, lines };
  }
}

async function killAfter(child: ChildProcess, delayMs: number): Promise<void> {
  await setTimeout(delayMs);
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
}
