import { Command } from "commander";
import type { SignatureStanding } from "../control/list-plugins.ts";
import { signPlugin } from "../control/sign-plugin.ts";
import { openKey, ownKeyRing } from "../control/signing-keys.ts";
import { withExamples } from "./examples.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";

export function signCommand(shell: Shell): Command {
  const command = new Command("sign")
    .summary("sign a published version")
    .description(
      "Signs a version that is on record, in place of the signature that it had. Look at its code before: plugin show NAME VERSION --code.",
    )
    .argument("<name>", "the plugin's name")
    .argument("<version>", "the version")
    .option("--key <name>", "your key (default: your only one)")
    .action(async (name: string, version: string, options: { readonly key?: string }) => {
      const key = await openKey(ownKeyRing(process.env), options.key);
      await withSession(shell, {}, async (session) => {
        const signed = await signPlugin(session, name, version, key);
        shell.terminal.show(signed, () =>
          signed.changed ? `Signed ${name} ${version} with ${key.publicKey}` : `${name} ${version} is signed with this key already`,
        );
      });
    });
  return withExamples(command, { "casparian plugin sign clean 2": "", "casparian plugin sign clean 2 --key ann": "" });
}

export function describeSignature({ signer, key, trouble }: SignatureStanding): string {
  if (trouble !== null) return trouble;
  if (key === null) return "no";
  return signer === null ? `with ${key}, which is not trusted here` : `by ${signer}`;
}
