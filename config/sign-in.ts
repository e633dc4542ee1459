import { WrongUse } from "../domain/failure.ts";
import type { SignInPolicy } from "../domain/sign-in.ts";
import { safeUrl } from "../domain/safe-url.ts";
import type { FileSettings } from "./file.ts";

/** Without offline_access most servers give no refresh token, and the sign-in ends within the hour. */
const usualScopes = "openid profile email offline_access";

/** Where those sign in who change which code runs; null where nobody needs to. Throws WrongUse. */
export function signInPolicy(file: FileSettings["plugins"]["sign_in"]): SignInPolicy | null {
  if (file === undefined) return null;
  const { issuer, client_id: clientId, scopes = usualScopes, audience = null, claim = "email", allow = null } = file;
  if (issuer === undefined || clientId === undefined) {
    const missing = issuer === undefined ? "issuer" : "client_id";
    const example = 'sign_in = { issuer = "https://login.example.com", client_id = "…", allow = ["@example.com"] }';
    throw new WrongUse(`casparian.toml: plugins.sign_in has no ${missing}`, `Write it like this:\n\n[plugins]\n${example}\n`);
  }
  if (!isServer(issuer))
    throw new WrongUse(
      `casparian.toml: plugins.sign_in.issuer "${safeUrl(issuer)}" is not the URL of a sign-in server`,
      "Give it as https://…, without user, password and query; http:// is for 127.0.0.1 only",
    );
  if (!scopes.split(/\s+/).includes("openid"))
    throw new WrongUse(`casparian.toml: plugins.sign_in.scopes "${scopes}" lacks openid`, `Usual ones are "${usualScopes}"`);
  return { issuer, clientId, scopes, audience, claim, allow };
}

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isHere = protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
  return (protocol === "https:" || isHere) && [username, password, search, hash].every((part) => part === "");
}
