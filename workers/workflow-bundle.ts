import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * The path of the workflows' bundle, made when the workflows have changed since the last time. Bundling takes seconds and a hundred
 * megabytes, so it happens in a process of its own and its result is kept by content.
 */
export async function workflowBundle(cacheDir: string): Promise<string> {
  const path = join(cacheDir, `workflows-${await sourceHash()}.js`);
  if (await stat(path).catch(() => null)) return path;
  await mkdir(cacheDir, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  await execa(process.execPath, [fileURLToPath(import.meta.url), unfinished], { stderr: "inherit" });
  await rename(unfinished, path);
  return path;
}

async function sourceHash(): Promise<string> {
  const folders = ["workflows", "domain"];
  const hash = createHash("sha256").update(await readFile(join(root, "package-lock.json")));
  for (const folder of folders) {
    const names = (await readdir(join(root, folder))).filter((name) => name.endsWith(".ts")).toSorted();
    for (const name of names) hash.update(name).update(await readFile(join(root, folder, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** As a program: bundles the workflows into the file that is named. */
if (import.meta.main) {
  const { bundleWorkflowCode, DefaultLogger } = await import("@temporalio/worker");
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(root, "workflows/index.ts"),
    logger: new DefaultLogger("WARN"),
  });
  const [target] = process.argv.slice(2);
  await mkdir(dirname(target!), { recursive: true });
  await writeFile(target!, code);
}
