import { resolve } from "node:path";
import { execa } from "execa";
import { ensureTool } from "../services/tools.ts";

/** Checks and formats (with `--fix`) the Python that runs beside plugins, with a pinned ruff that uv fetches. */
const ruff = "ruff==0.17.6";
const folders = ["bridge/python", "demo", "examples"];
const silent = () => {};

const uv = await ensureTool("uv", {
  stateDir: resolve(import.meta.dirname, "../.casparian/test"),
  log: { debug: silent, info: silent, warn: console.warn, error: console.error },
  onProgress: (step) => console.log(step),
});
const fix = process.argv.includes("--fix");
for (const args of [fix ? ["check", "--fix"] : ["check"], fix ? ["format"] : ["format", "--check"]]) {
  const { exitCode } = await execa(uv, ["tool", "run", "--from", ruff, "ruff", ...args, ...folders], { stdio: "inherit", reject: false });
  if (exitCode !== 0) process.exit(exitCode ?? 1);
}
