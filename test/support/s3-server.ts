import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { execa } from "execa";
import { vi } from "vitest";
import { patience } from "./patience.ts";
import { environmentOf } from "../../bridge/environments.ts";
import { pythonWith } from "./python-environment.ts";

export interface S3Server extends AsyncDisposable {
  readonly url: string;
}

/** A server of its own that speaks S3: moto's, in a process of its own, with everything in memory. The environment then leads to it. */
export async function startS3Server(): Promise<S3Server> {
  const python = await pythonWith(environmentOf(readFileSync(new URL("s3-server.txt", import.meta.url), "utf8"), ">=3.10"));
  const port = await freePort();
  const server = execa(python, ["-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", String(port)], {
    stdio: "ignore",
    reject: false,
  });
  const url = `http://127.0.0.1:${port}`;
  Object.assign(process.env, environmentFor(url));
  await vi.waitFor(() => fetch(url), patience);
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      await server;
    },
  };
}

/** What a program needs to find the server. */
function environmentFor(url: string): Record<string, string> {
  return { AWS_ENDPOINT_URL_S3: url, AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
