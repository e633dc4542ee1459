import { join, relative } from "node:path";
import { Command } from "commander";
import { runDemo, type DemoResult } from "../demo/run-demo.ts";
import { createLog } from "../workers/log.ts";
import type { Shell } from "./shell.ts";

const folder = "casparian-demo";

export function createCommand(shell: Shell): Command {
  return new Command("demo")
    .description(
      `Shows the main job on real files in ./${folder}: plugins are published, files become tables, one file is edited and gets its second
version, and everything is checked by other means. Ends with 0 only if all of that was true. Nothing outside the folder is touched.`,
    )
    .addHelpText("after", "\nExample:\n  casparian demo")
    .action(() => demo(shell));
}

async function demo({ terminal, settings: readSettings, signal, debug }: Shell): Promise<void> {
  const settings = readSettings();
  const home = join(settings.home, folder);
  const result = await runDemo({
    settings: { ...settings, home, stateDir: join(home, ".casparian"), database: { kind: "embedded" }, temporal: { kind: "embedded" } },
    log: createLog(debug ? "debug" : "warn"),
    say: (line) => terminal.json || terminal.print(line),
    onProgress: (text) => terminal.progress(text),
    signal,
  });
  terminal.clearProgress();
  terminal.show(result, () => describe(result));
}

function describe({ checks, results, folder: home }: DemoResult): string {
  const place = relative(process.cwd(), home);
  const command = (rest: string): string => `  npx casparian --home ${place} ${rest}`;
  return [
    `\nAll ${checks.length} checks passed. The tables are in ${place}/output, one Parquet file for each version of a file:`,
    ...results.map(({ file, rows }) => `  ${rows.toLocaleString("en").padStart(7)} rows  ${join(place, file)}`),
    "\nLook around:",
    command("jobs list"),
    command("versions airports.csv"),
    command("lineage --file airports.csv"),
    command('query "select origin, max(temp_max) from weather_days group by 1"'),
    command(`sql "select plugin_name, status, count(*) from cf_processing_queue group by 1, 2"`),
    command("start        then drop files into its inbox/, and open Temporal's Web UI"),
  ].join("\n");
}
