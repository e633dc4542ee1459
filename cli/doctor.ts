import { Command } from "commander";
import { openConnections } from "../config/connections.ts";
import { diagnose, type Diagnosis, type Host, type Severity } from "../control/diagnose.ts";
import { listPythons } from "../control/list-environments.ts";
import { messageOf } from "../domain/failure.ts";
import { findPython } from "../services/python.ts";
import { findTool } from "../services/tools.ts";
import { withExamples } from "./examples.ts";
import { count, printable } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import type { Style } from "./terminal.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("doctor")
    .description(
      "Looks at everything that a file meets on its way to a table, and says what is wrong and what to do: no jobs, no plugin, no output, an idle worker. " +
        "Exits with 1 if something can't work.",
    )
    .option("--fix", "mend what needs nobody's decision, such as a schedule that is not as its source asks for")
    .action(async ({ fix = false }: { readonly fix?: boolean }) => {
      const host = await examineHost(shell);
      await withSession(shell, { temporal: "if-running" }, async (session) => {
        const { home, stateDir, connections, plugins } = shell.settings();
        const found = await diagnose(session, { home, stateDir, connections: openConnections(connections), plugins, host, fix });
        const errors = found.filter((diagnosis) => diagnosis.severity === "error").length;
        shell.terminal.show({ healthy: errors === 0, diagnoses: found }, () => describe(shell, found));
        if (errors > 0) process.exitCode = 1;
      });
    });
  return withExamples(command, { "casparian doctor": "", "casparian doctor --fix": "", "casparian doctor --json": "for monitoring" });
}

async function examineHost(shell: Shell): Promise<Host> {
  const { stateDir, python, temporal } = shell.settings();
  const [uv, temporalTool, found] = await Promise.all([
    findTool("uv", stateDir),
    findTool("temporal", stateDir),
    findPython(python.interpreter).catch((error: unknown) => ({ trouble: messageOf(error) })),
  ]);
  const pythons = uv === null ? null : await listPythons(uv).catch(() => null);
  return { tools: { uv, temporal: temporalTool }, python: found, pythons, needsTemporalTool: temporal.kind === "embedded" };
}

const marks: Readonly<Record<Severity, readonly [string, Style]>> = {
  ok: ["ok", "green"],
  info: ["info", "cyan"],
  warning: ["warning", "yellow"],
  error: ["error", "red"],
};

function describe({ terminal }: Shell, found: readonly Diagnosis[]): string {
  const lines = found.flatMap(({ subject, severity, message, hint }) => {
    const [mark, style] = marks[severity];
    const first = `${terminal.paint(style, mark.padEnd(8))} ${subject.padEnd(9)} ${printable(message)}`;
    return hint === null
      ? [first]
      : [first, `${" ".repeat(19)}→ ${printable(hint, { keepLines: true }).replaceAll("\n", `\n${" ".repeat(21)}`)}`];
  });
  const amount = (severity: Severity): number => found.filter((diagnosis) => diagnosis.severity === severity).length;
  const verdict = `${count(amount("error"), "error")}, ${count(amount("warning"), "warning")}`;
  return [...lines, "", amount("error") + amount("warning") === 0 ? "All is well." : verdict].join("\n");
}
