import type { Identity } from "../domain/sign-in.ts";
import type { ControlContext } from "./context.ts";

/**
 * Who is signed in, for what changes which code runs; null where the configuration asks nobody to sign in. Asked before anything is changed. Throws
 * what `signIn` of the context throws: TerminalFailure SIGN_IN_REQUIRED and others.
 */
export async function identify({ signIn }: ControlContext): Promise<Identity | null> {
  return signIn === undefined ? null : signIn();
}
