import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ServiceUnreachable } from "../../domain/failure.ts";
import type { SignInPolicy } from "../../domain/sign-in.ts";
import { signedIn, signIn, signOut, type SignInPlace } from "../../services/sign-in/sign-in.ts";
import { readTokens, tokenFile, type StoredTokens } from "../../services/sign-in/token-file.ts";
import { startSignInServer, type SignInServer } from "../support/sign-in-server.ts";

const home = mkdtempSync(join(tmpdir(), "casparian-sign-in-"));
const signal = new AbortController().signal;
let server: SignInServer;
/** Of one sign-in, which all tests but those of signing in begin with. */
let fresh: StoredTokens;

beforeAll(async () => {
  server = await startSignInServer();
  await enter(place(), "ann");
  fresh = (await readTokens(place().file))!;
});
afterEach(() => {
  vi.useRealTimers();
  server.setIdTokenSeconds(3_600);
  rmSync(place().file, { force: true });
  writeFileSync(place().file, JSON.stringify(fresh), { mode: 0o600 });
});
afterAll(async () => {
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

function place(changes: Partial<SignInPolicy> = {}): SignInPlace {
  const { issuer, clientId } = server;
  const scopes = "openid profile email offline_access";
  const policy = { issuer, clientId, scopes, audience: null, claim: "email", allow: ["@example.org"], ...changes };
  return { policy, file: tokenFile({ issuer, clientId }, { XDG_CONFIG_HOME: home }), signal };
}

const enter = (where: SignInPlace, account: string) => signIn(where, ({ completeUrl }) => void server.approve(completeUrl!, account));
const refusal = async (work: Promise<unknown>) =>
  (await work.then(
    () => null,
    (error: unknown) => error,
  )) as Error & { code: string; hint: string };

test("what is kept is for this person alone, and who it is is verified at each use", async () => {
  const { file } = place();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
  expect(await signedIn(place())).toEqual({ issuer: server.issuer, subject: "ann", email: "ann@example.org" });
  chmodSync(file, 0o644);
  expect(await refusal(signedIn(place()))).toMatchObject({ code: "SIGN_IN_REQUIRED", hint: "Sign in first: casparian login" });
  rmSync(file);
  expect(await refusal(signedIn(place()))).toMatchObject({ code: "SIGN_IN_REQUIRED" });
});

// Asking more slowly means five seconds more, by the standard.
test("the code is waited for, more slowly where the server says so; who says no is not signed in", async () => {
  const began = performance.now();
  const before = server.asked();
  server.answerOnce("slow_down");
  const code = Promise.withResolvers<string>();
  const signing = signIn(place(), ({ url, code: typed, completeUrl }) =>
    code.resolve(`${url}?user_code=${typed}` === completeUrl ? completeUrl : ""),
  );
  const denied = refusal(signing);
  const url = await code.promise;
  expect(url).toMatch(/\/device\?user_code=[A-Z]{4}-[A-Z]{4}$/);
  await server.deny(url);
  expect(await denied).toMatchObject({ code: "SIGN_IN_FAILED", hint: expect.stringContaining("casparian login") as string });
  expect(performance.now() - began).toBeGreaterThan(6_500);
  expect(server.asked() - before).toBe(2);
});

test("somebody whom the policy does not name is refused, and nothing of theirs is kept", async () => {
  rmSync(place().file);
  expect(await refusal(enter(place({ allow: ["bob@example.org"] }), "ann"))).toMatchObject({
    code: "SIGN_IN_REFUSED",
    message: expect.stringMatching(/^ann@example\.org is not among those who may/) as string,
  });
  expect(readdirSync(dirname(place().file))).toEqual([]);
});

test("a policy that has changed holds from the next use on", async () => {
  expect(await refusal(signedIn(place({ allow: ["@example.com"] })))).toMatchObject({ code: "SIGN_IN_REFUSED" });
  expect(await signedIn(place({ claim: "groups", allow: ["staff"] }))).toMatchObject({ subject: "ann" });
  expect((await refusal(signedIn(place({ claim: "roles", allow: ["staff"] })))).message).toContain('does not tell "roles"');
});

test("an ID token that was changed, or made for another program, is not taken", async () => {
  const { file } = place();
  const [head, claims, signature] = fresh.idToken.split(".") as [string, string, string];
  const forged = JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<string, unknown>;
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const tokens = [
    [head, encode({ ...forged, sub: "bob", email: "bob@example.org" }), signature],
    [encode({ alg: "none" }), encode({ ...forged, sub: "bob" }), ""],
    [head, claims, signature.slice(0, -4)],
    ["nonsense"],
  ];
  for (const parts of tokens) {
    writeFileSync(file, JSON.stringify({ ...fresh, idToken: parts.join(".") }));
    expect(await refusal(signedIn(place()))).toMatchObject({
      code: "SIGN_IN_INVALID",
      hint: expect.stringContaining("casparian login") as string,
    });
  }
  writeFileSync(file, JSON.stringify(fresh));
  expect(await refusal(signedIn(place({ clientId: "other" })))).toMatchObject({
    code: "SIGN_IN_INVALID",
    message: expect.stringContaining('"aud"') as string,
  });
});

test("an expired one is renewed, until the server no longer does that", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3_600_000 });
  const before = server.asked();
  expect(await signedIn(place())).toMatchObject({ subject: "ann" });
  const renewed = await readTokens(place().file);
  expect(renewed!.idToken).not.toBe(fresh.idToken);
  expect(statSync(place().file).mode & 0o777).toBe(0o600);
  expect(await signedIn(place())).toMatchObject({ subject: "ann" });
  expect(server.asked() - before).toBe(1);
  writeFileSync(place().file, JSON.stringify({ ...fresh, refreshToken: null }));
  expect(await refusal(signedIn(place()))).toMatchObject({ code: "SIGN_IN_EXPIRED", hint: "Sign in again: casparian login" });
  writeFileSync(place().file, JSON.stringify({ ...fresh, refreshToken: "unknown" }));
  expect(await refusal(signedIn(place()))).toMatchObject({ code: "SIGN_IN_EXPIRED" });
  fresh = renewed!;
});

test("a server that does not answer is told, and what to look at", async () => {
  await server.stop();
  for (const work of [() => signedIn(place()), () => enter(place(), "ann")]) {
    const failure = await refusal(work());
    expect(failure).toBeInstanceOf(ServiceUnreachable);
    expect(failure.message).toContain(`${server.issuer} does not answer: `);
    expect(failure.message).not.toContain(fresh.idToken);
  }
  await server.start();
});

test("signing out forgets the tokens here and at the server", async () => {
  await enter(place(), "bob");
  const tokens = readFileSync(place().file, "utf8");
  expect(await signOut(place())).toEqual({ was: true, revoked: true });
  expect(await refusal(signedIn(place()))).toMatchObject({ code: "SIGN_IN_REQUIRED" });
  writeFileSync(place().file, tokens, { mode: 0o600 });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3_600_000 });
  expect(await refusal(signedIn(place()))).toMatchObject({ code: "SIGN_IN_EXPIRED" });
  expect(await signOut(place({ issuer: "http://127.0.0.1:9" }))).toEqual({ was: true, revoked: false });
  expect(await signOut(place())).toEqual({ was: false, revoked: false });
});
