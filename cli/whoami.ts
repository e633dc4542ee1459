import { Command } from "commander";
import { localActor } from "../control/context.ts";
import type { Identity } from "../domain/sign-in.ts";
import { withExamples } from "./examples.ts";
import { printable } from "./format.ts";
import type { Shell } from "./shell.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("whoami")
    .description("Says by which name the audit trail knows you, and who is signed in here, which the sign-in server's keys verify now.")
    .action(async () => {
      const actor = localActor();
      // The pages of plugins show identities too, and need nothing else of this.
      const { signInPlace } = await import("./sign-in-place.ts");
      const place = signInPlace(shell);
      const identity = place === null ? null : await (await import("../services/sign-in/sign-in.ts")).signedIn(place);
      shell.terminal.show({ actor, identity }, () =>
        identity === null ? `${actor}; nobody needs to sign in here` : `${describeIdentity(identity)}, as ${actor}`,
      );
    });
  return withExamples(command, { "casparian whoami": "" });
}

export function describeIdentity({ email, subject, issuer }: Identity): string {
  return printable(email === null ? `${subject} of ${issuer}` : `${email} (${subject} of ${issuer})`);
}
