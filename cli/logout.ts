import { Command } from "commander";
import { signOut } from "../services/sign-in/sign-in.ts";
import { withExamples } from "./examples.ts";
import type { Shell } from "./shell.ts";
import { requireSignInPlace } from "./sign-in-place.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("logout")
    .description("Forgets the sign-in of this machine, and has the server end it where the server takes that.")
    .action(async () => {
      const signedOut = await signOut(requireSignInPlace(shell));
      shell.terminal.show(signedOut, () => {
        if (!signedOut.was) return "Nobody was signed in";
        return signedOut.revoked ? "Signed out" : "Signed out on this machine; the server was not told, or takes no such word";
      });
    });
  return withExamples(command, { "casparian logout": "" });
}
