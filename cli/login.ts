import { Command } from "commander";
import { signIn, type DeviceCode } from "../services/sign-in/sign-in.ts";
import { withExamples } from "./examples.ts";
import { printable } from "./format.ts";
import type { Shell } from "./shell.ts";
import { requireSignInPlace } from "./sign-in-place.ts";
import { describeIdentity } from "./whoami.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("login")
    .description(
      "Signs you in at the server that [plugins] sign_in in casparian.toml names: shows a page and a code, which you enter there in any browser, also of " +
        "another machine. It is kept for you alone, in casparian/sign-in of your own configuration folder, and renewed as long as the server allows.",
    )
    .action(async () => {
      const place = requireSignInPlace(shell);
      const identity = await signIn(place, (code) => shell.terminal.note(describeCode(code)));
      shell.terminal.show(identity, () => `Signed in: ${describeIdentity(identity)}`);
    });
  return withExamples(command, { "casparian login": "" });
}

function describeCode({ url, code, completeUrl, expiresInSeconds }: DeviceCode): string {
  const minutes = Math.max(1, Math.round(expiresInSeconds / 60));
  const direct = completeUrl === null ? "" : `\n(or open ${printable(completeUrl)}, where it is entered already)`;
  return `To sign in, open ${printable(url)} and enter the code ${printable(code)}${direct}\nWaiting for ${minutes} min at most; Ctrl-C ends this`;
}
