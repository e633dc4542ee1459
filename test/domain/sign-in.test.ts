import { expect, test } from "vitest";
import { objectionTo, type SignInPolicy } from "../../domain/sign-in.ts";

const policy = (changes: Partial<SignInPolicy>): SignInPolicy => ({
  issuer: "https://login.example.org",
  clientId: "casparian",
  scopes: "openid",
  audience: null,
  claim: "email",
  allow: ["ann@example.org", "@example.com"],
  ...changes,
});

test.each([
  ["ann@example.org", true],
  ["Ann@Example.ORG", true],
  ["bob@example.com", true],
  ["bob@example.org", false],
  ["bob@sub.example.com", false],
  ["bob@example.com.evil.example", false],
  ["bob@evil.example@example.com", false],
  ["@example.com", false],
])("%s may: %s", (email, may) => {
  expect(objectionTo(policy({}), { email }) === null).toBe(may);
});

test("an address that the server has not verified does not count, and other claims may", () => {
  expect(objectionTo(policy({}), { email: "ann@example.org", email_verified: false })).toContain("has not verified ann@example.org");
  expect(objectionTo(policy({ claim: "groups", allow: ["deployers"] }), { groups: ["staff", "deployers"] })).toBeNull();
  expect(objectionTo(policy({ claim: "groups", allow: ["deployers"] }), { groups: [1, "staff"] })).toContain("staff is not among");
  expect(objectionTo(policy({}), { sub: "7" })).toContain('does not tell "email"');
  expect(objectionTo(policy({ allow: null }), {})).toBeNull();
});
