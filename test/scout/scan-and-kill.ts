import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/**
 * Runs `scan-process.ts` with these arguments and kills it, as `kill -9` does, at the first line that says so. Returns the lines until
 * then.
 */
export async function scanAndKill(
  args: readonly string[],
  isTime: (step: string, filesHashed: number) => boolean,
): Promise<readonly string[]> {
  const program = fileURLToPath(new URL("scan-process.ts", import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    const [step = "", filesHashed] = line.split(" ");
    if (isTime(step, Number(filesHashed))) child.kill("SIGKILL");
  }
  await ended;
  return lines;
}
