import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider, type Context } from "oidc-provider";

/** A real OpenID Connect server with the device flow, in which everybody may sign in as whoever they say. */
export interface SignInServer {
  readonly issuer: string;
  readonly clientId: string;
  /** How often its token endpoint was asked. */
  asked(): number;
  /** How long ID tokens of now on are valid. Seconds. */
  setIdTokenSeconds(seconds: number): void;
  /** The token endpoint's next answer, in place of its own. */
  answerOnce(error: "slow_down"): void;
  /** Enters a code and signs in, as a person does in a browser. */
  approve(url: string, account: string): Promise<void>;
  /** The same, but the person says no. */
  deny(url: string): Promise<void>;
  /** Stops; `start` goes on at the same address. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startSignInServer(): Promise<SignInServer> {
  let idTokenSeconds = 3_600;
  let asked = 0;
  const answers: string[] = [];
  const server = createServer((request, response) => handle(request, response));
  const listen = (port: number): Promise<void> => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "casparian",
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: { deviceFlow: { enabled: true }, revocation: { enabled: true } },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["groups"] },
    conformIdTokenClaims: false,
    issueRefreshToken: () => true,
    cookies: { keys: ["of a test"] },
    ttl: { IdToken: () => idTokenSeconds },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: !id.startsWith("unverified"), groups: ["staff", id] }),
    }),
  });
  provider.use(async (context: Context, next) => {
    if (context.path === "/token") {
      asked += 1;
      const error = answers.shift();
      if (error !== undefined) {
        context.status = 400;
        context.body = { error };
        return;
      }
    }
    await next();
    // Otherwise a client asks each five seconds only.
    if (context.path === "/device/auth") context.body = { ...(context.body as object), interval: 1 };
  });
  const handle = provider.callback();
  return {
    issuer,
    clientId: "casparian",
    asked: () => asked,
    setIdTokenSeconds: (seconds) => void (idTokenSeconds = seconds),
    answerOnce: (error) => void answers.push(error),
    approve: (url, account) => browse(url, { login: account, password: "any" }),
    deny: (url) => browse(url, { abort: "yes" }),
    start: () => listen(port),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Follows links and sends forms until there is none, with cookies. Who sends `abort` is asked nothing more. */
async function browse(first: string, fields: Readonly<Record<string, string>>): Promise<void> {
  const cookies = new Map<string, string>();
  let [url, body] = [first, undefined as URLSearchParams | undefined];
  for (let step = 0; step < 20; step += 1) {
    const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie }, ...(body === undefined ? {} : { method: "POST", body }) });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      cookies.set(name!, value!);
    }
    const location = response.headers.get("location");
    const page = await response.text();
    const form = /<form[^>]*action="([^"]+)"[^>]*>([^]*?)<\/form>/.exec(page);
    if (body?.has("abort") === true || (location === null && form === null)) return;
    if (location !== null) {
      [url, body] = [new URL(location, url).href, undefined];
      continue;
    }
    const inputs = [...form![2]!.matchAll(/<input[^>]*name="([^"]+)"(?:[^>]*value="([^"]*)")?/g)];
    const { abort, ...typed } = fields;
    const isQuestion = page.includes('name="abort"');
    url = new URL(form![1]!, url).href;
    body = new URLSearchParams([
      ...inputs.map(([, name, value]): [string, string] => [name!, typed[name!] ?? value ?? ""]),
      ...(isQuestion && abort !== undefined ? [["abort", abort] as [string, string]] : []),
    ]);
  }
  throw new Error(`no end of pages at ${url}`);
}
