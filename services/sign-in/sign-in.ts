import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from "jose";
import * as oidc from "openid-client";
import { messageOf, ServiceUnreachable, TerminalFailure } from "../../domain/failure.ts";
import { objectionTo, type Identity, type SignInPolicy } from "../../domain/sign-in.ts";
import { readTokens, removeTokens, writeTokens } from "./token-file.ts";

/**
 * Signing in by the device code (RFC 8628): the person opens a page in any browser and enters a code. What is kept is the ID token and the refresh
 * token. Each use verifies the ID token anew, with the server's keys as they are then, and renews an expired one.
 */

export interface SignInPlace {
  readonly policy: SignInPolicy;
  /** Where the tokens are kept. */
  readonly file: string;
  readonly signal: AbortSignal;
}

/** What the person is asked to do. */
export interface DeviceCode {
  readonly url: string;
  readonly code: string;
  /** The page with the code already in it, where the server has one. */
  readonly completeUrl: string | null;
  readonly expiresInSeconds: number;
}

const answerSecondsMax = 15;
const clockSecondsMax = 60;
const again = "Sign in again: casparian login";

/**
 * Signs somebody in and keeps the tokens. Throws TerminalFailure SIGN_IN_FAILED, SIGN_IN_REFUSED for one whom the policy does not let in, and
 * ServiceUnreachable.
 */
export async function signIn({ policy, file, signal }: SignInPlace, onCode: (code: DeviceCode) => void): Promise<Identity> {
  const provider = await discover(policy);
  const parameters = { scope: policy.scopes, ...(policy.audience === null ? {} : { audience: policy.audience }) };
  try {
    const device = await oidc.initiateDeviceAuthorization(provider, parameters);
    const { verification_uri: url, user_code: code, verification_uri_complete: completeUrl = null, expires_in: expiresInSeconds } = device;
    onCode({ url, code, completeUrl, expiresInSeconds });
    const limited = AbortSignal.any([signal, AbortSignal.timeout(expiresInSeconds * 1000)]);
    const tokens = await oidc.pollDeviceAuthorizationGrant(provider, device, undefined, { signal: limited });
    return await keep({ policy, file, signal }, provider, tokens, null);
  } catch (error) {
    signal.throwIfAborted();
    throw explain(error, policy, "the sign-in failed");
  }
}

/**
 * Who is signed in here, by an ID token that is verified now. Throws TerminalFailure SIGN_IN_REQUIRED, SIGN_IN_EXPIRED, SIGN_IN_INVALID, SIGN_IN_REFUSED,
 * and ServiceUnreachable where the server does not answer.
 */
export async function signedIn(place: SignInPlace): Promise<Identity> {
  const { policy, file } = place;
  const tokens = await readTokens(file);
  if (tokens === null) {
    throw new TerminalFailure({
      code: "SIGN_IN_REQUIRED",
      message: `nobody is signed in here, and changing which code runs requires it ([plugins] sign_in, ${policy.issuer})`,
      hint: "Sign in first: casparian login",
    });
  }
  const provider = await discover(policy);
  try {
    return identify(policy, await verify(provider, policy, tokens.idToken));
  } catch (error) {
    if (!(error instanceof errors.JWTExpired)) throw explain(error, policy, "the sign-in on this machine is not valid");
  }
  if (tokens.refreshToken === null)
    throw new TerminalFailure({ code: "SIGN_IN_EXPIRED", message: "the sign-in on this machine has expired", hint: again });
  try {
    return await keep(place, provider, await oidc.refreshTokenGrant(provider, tokens.refreshToken), tokens.refreshToken);
  } catch (error) {
    throw explain(error, policy, "the sign-in on this machine has expired and can't be renewed");
  }
}

/** Forgets the tokens, and tells the server where it takes that. Returns false where nobody was signed in. */
export async function signOut({ policy, file }: SignInPlace): Promise<{ readonly was: boolean; readonly revoked: boolean }> {
  const tokens = await readTokens(file);
  await removeTokens(file);
  if (tokens === null) return { was: false, revoked: false };
  if (tokens.refreshToken === null) return { was: true, revoked: false };
  try {
    await oidc.tokenRevocation(await discover(policy), tokens.refreshToken, { token_type_hint: "refresh_token" });
    return { was: true, revoked: true };
  } catch {
    return { was: true, revoked: false };
  }
}

async function discover(policy: SignInPolicy): Promise<oidc.Configuration> {
  const url = new URL(policy.issuer);
  // Only a server of this very machine may be without TLS.
  const isHere = url.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  const execute = [oidc.enableNonRepudiationChecks, ...(isHere ? [oidc.allowInsecureRequests] : [])];
  try {
    return await oidc.discovery(url, policy.clientId, undefined, oidc.None(), { execute, timeout: answerSecondsMax });
  } catch (error) {
    throw explain(error, policy, "the sign-in server can't be used");
  }
}

/** The ID token that came was verified by the library; a server may leave it out when it renews, then there is nothing to go by. */
async function keep(
  { policy, file }: SignInPlace,
  provider: oidc.Configuration,
  tokens: oidc.TokenEndpointResponse,
  refreshToken: string | null,
): Promise<Identity> {
  if (tokens.id_token === undefined)
    throw new TerminalFailure({
      code: "SIGN_IN_FAILED",
      message: `${policy.issuer} gives no ID token`,
      hint: 'Have "openid" among the scopes',
    });
  const identity = identify(policy, await verify(provider, policy, tokens.id_token));
  await writeTokens(file, { idToken: tokens.id_token, refreshToken: tokens.refresh_token ?? refreshToken });
  return identity;
}

/** Signature by the server's keys, issuer, audience and expiry. */
async function verify(provider: oidc.Configuration, { clientId }: SignInPolicy, idToken: string): Promise<JWTPayload> {
  const { issuer, jwks_uri: keys, id_token_signing_alg_values_supported: told } = provider.serverMetadata();
  if (keys === undefined) throw new TerminalFailure({ code: "SIGN_IN_FAILED", message: `${issuer} has no keys (jwks_uri)` });
  const algorithms = (told ?? ["RS256"]).filter((algorithm) => /^(RS|PS|ES|Ed)/.test(algorithm));
  const { payload } = await jwtVerify(idToken, createRemoteJWKSet(new URL(keys), { timeoutDuration: answerSecondsMax * 1000 }), {
    issuer,
    audience: clientId,
    algorithms,
    clockTolerance: clockSecondsMax,
    requiredClaims: ["sub", "exp", "iat"],
  });
  if (Array.isArray(payload.aud) && payload.aud.length > 1 && payload["azp"] !== clientId)
    throw new errors.JWTClaimValidationFailed("it was made for another program", payload, "azp", "check_failed");
  return payload;
}

function identify(policy: SignInPolicy, claims: JWTPayload): Identity {
  const objection = objectionTo(policy, claims);
  if (objection !== null) {
    throw new TerminalFailure({
      code: "SIGN_IN_REFUSED",
      message: `${objection}: [plugins] sign_in of this folder names who may change which code runs`,
      hint: "Sign in as somebody else (casparian login), or have allow or claim changed in casparian.toml",
    });
  }
  const { email } = claims;
  return { issuer: claims.iss!, subject: claims.sub!, email: typeof email === "string" ? email : null };
}

/** Nothing of the tokens is in it: the libraries' messages name claims and codes only. */
function explain(error: unknown, { issuer }: SignInPolicy, what: string): Error {
  if (error instanceof TerminalFailure || error instanceof ServiceUnreachable) return error;
  if (isUnreachable(error)) {
    const hint = "Check the network, and [plugins] sign_in issuer in casparian.toml. Without the server nobody's sign-in can be verified";
    return new ServiceUnreachable({ message: `${what}: ${issuer} does not answer: ${wordsOf(error)}`, hint, cause: error });
  }
  const isExpired = error instanceof oidc.ResponseBodyError && error.error === "invalid_grant";
  const code = isExpired ? "SIGN_IN_EXPIRED" : error instanceof errors.JOSEError ? "SIGN_IN_INVALID" : "SIGN_IN_FAILED";
  return new TerminalFailure({ code, message: `${what}: ${wordsOf(error)}`, hint: again, cause: error });
}

function isUnreachable(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout) return true;
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof oidc.ClientError && inner.code === "OAUTH_TIMEOUT") return true;
    if (inner instanceof TypeError && inner.message === "fetch failed") return true;
  }
  return false;
}

function wordsOf(error: unknown): string {
  if (error instanceof oidc.ResponseBodyError) return error.error_description ?? error.error;
  return messageOf(error instanceof Error && error.cause instanceof Error && error.message === "fetch failed" ? error.cause : error);
}
