import { Command, Option } from "commander";
import { grantToPlugin, revokeFromPlugin, type ChangedGrants, type GrantRow } from "../control/grant-plugin.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { printable, relativeTime } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { realPath } from "../control/real-path.ts";

interface GrantOptions {
  readonly read?: readonly string[];
  readonly host?: readonly string[];
  readonly all?: boolean;
}

export function grantCommand(shell: Shell): Command {
  const command = new Command("grant")
    .summary("let a plugin read a folder or reach a host")
    .description(
      "Lets all versions of a plugin, whoever publishes them, read folders and connect to hosts, beyond what its sandbox gives; from its next job on. " +
        "Whatever it can read may end in its rows.",
    )
    .argument("<name>", "the plugin's name")
    .option("--read <folder...>", "a folder, with all that is below it, as it is called on the workers' machines")
    .option("--host <name:port...>", "a host's name or IPv4 address, and a TCP port")
    .action(async (name: string, options: GrantOptions) => {
      const asked = grantsAsked(options);
      await withSession(shell, {}, async (session) => {
        const granted = await grantToPlugin(session, name, asked, shell.settings().stateDir);
        shell.terminal.show(granted, () => describeChanged(granted, name, "Granted", "granted already"));
      });
    });
  return withExamples(command, {
    "casparian plugin grant clean --read /data/reference": "",
    "casparian plugin grant clean --host db.example:5432": "",
  });
}

export function revokeCommand(shell: Shell): Command {
  const command = new Command("revoke")
    .summary("take back what was granted")
    .description("Takes grants away from a plugin, from its next job on.")
    .argument("<name>", "the plugin's name")
    .option("--read <folder...>", "these folders")
    .option("--host <name:port...>", "these hosts")
    .addOption(new Option("--all", "all that it has").conflicts(["read", "host"]))
    .action(async (name: string, options: GrantOptions) => {
      const asked = options.all === true ? "all" : grantsAsked(options);
      await withSession(shell, {}, async (session) => {
        const revoked = await revokeFromPlugin(session, name, asked);
        shell.terminal.show(revoked, () => describeChanged(revoked, name, "Revoked", "nothing was granted"));
      });
    });
  return withExamples(command, { "casparian plugin revoke clean --read /data/reference": "", "casparian plugin revoke clean --all": "" });
}

function grantsAsked({ read = [], host = [] }: GrantOptions): { readonly read: readonly string[]; readonly hosts: readonly string[] } {
  if (read.length + host.length === 0) throw new WrongUse("nothing is named", "Name folders with --read, hosts with --host");
  // So that what is shown is what is granted.
  return { read: read.map(realPath), hosts: host };
}

function describeChanged({ changed, grants }: ChangedGrants, name: string, done: string, nothing: string): string {
  const first =
    changed.length === 0
      ? `${name}: ${nothing}`
      : `${done} from ${name}'s next job on: ${changed.map(({ target }) => printable(target)).join(", ")}`;
  return [first, ...(grants.length === 0 ? [`${name} has no grants`] : grants.map((grant) => `  ${describeGrant(grant)}`))].join("\n");
}

/** One line: what, since when, by whom. */
export function describeGrant({ kind, target, grantedAt, grantedBy }: GrantRow): string {
  return `${kind === "READ" ? "reads" : "connects to"} ${printable(target)} (${relativeTime(grantedAt)} by ${printable(grantedBy)})`;
}
