import { WrongUse } from "../domain/failure.ts";
import type { SignInPlace } from "../services/sign-in/sign-in.ts";
import { tokenFile } from "../services/sign-in/token-file.ts";
import type { Shell } from "./shell.ts";

/** Null where the configuration asks nobody to sign in. */
export function signInPlace(shell: Shell): SignInPlace | null {
  const policy = shell.settings().plugins.signIn;
  return policy === null ? null : { policy, file: tokenFile(policy, process.env), signal: shell.signal };
}

/** Throws WrongUse that says what to write. */
export function requireSignInPlace(shell: Shell): SignInPlace {
  const place = signInPlace(shell);
  if (place !== null) return place;
  throw new WrongUse(
    "nobody needs to sign in here: casparian.toml names no sign-in server",
    'To require it:\n\n[plugins]\nsign_in = { issuer = "https://login.example.com", client_id = "…", allow = ["@example.com"] }\n',
  );
}
