/** Who somebody is by the word of a sign-in server (OpenID Connect). */
export interface Identity {
  /** The server's URL. */
  readonly issuer: string;
  /** Who it is there, for ever; `sub` of the ID token. */
  readonly subject: string;
  readonly email: string | null;
}

/** Who may change which code runs, and where they sign in. */
export interface SignInPolicy {
  readonly issuer: string;
  readonly clientId: string;
  /** Separated by spaces. */
  readonly scopes: string;
  /** What some servers want to be told beside the scopes. */
  readonly audience: string | null;
  /** The claim of the ID token that `allow` is about. */
  readonly claim: string;
  /** Values of it; one that begins with @ stands for all addresses of the domain. Null for everybody whom the server lets in. */
  readonly allow: readonly string[] | null;
}

/** Why the policy does not let somebody with these claims in; null where it does. */
export function objectionTo({ allow, claim }: SignInPolicy, claims: Readonly<Record<string, unknown>>): string | null {
  if (allow === null) return null;
  const value = claims[claim];
  const values = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
  if (values.length === 0) return `the sign-in server does not tell "${claim}"`;
  if (claim === "email" && claims["email_verified"] === false) return `the sign-in server has not verified ${values[0]}`;
  const isAllowed = values.some((one) => allow.some((entry) => matches(one.toLowerCase(), entry.toLowerCase())));
  return isAllowed ? null : `${values.join(", ")} is not among those who may`;
}

function matches(value: string, entry: string): boolean {
  // The whole part before it counts, so that "x@evil.example@example.org" is no address of the domain.
  return entry.startsWith("@")
    ? value.endsWith(entry) && value.indexOf("@") === value.length - entry.length && value.length > entry.length
    : value === entry;
}
