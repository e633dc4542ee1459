import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { TerminalFailure } from "../domain/failure.ts";

export interface PortWish {
  /** Whose port it is, for the message: `Temporal's Web UI`. */
  readonly service: string;
  /** Where a person can ask for another one: `[temporal] ui_port`. */
  readonly setting: string;
  /** The port that was asked for: this one or none. */
  readonly asked?: number | undefined;
  /** The port of the last time, taken again when it is free so that addresses stay the same. */
  readonly last?: number | undefined;
}

/** A port of 127.0.0.1 that nobody listens on. Throws TerminalFailure PORT_IN_USE when the one that was asked for is taken. */
export async function choosePort({ service, setting, asked, last }: PortWish): Promise<number> {
  if (asked !== undefined) {
    if ((await tryListen(asked)) !== undefined) return asked;
    throw new TerminalFailure({
      code: "PORT_IN_USE",
      message: `port ${asked}, asked for ${service}, is in use by another program`,
      hint: `Stop that program, or set ${setting} to another port; without it, a free one is taken`,
      data: { port: asked },
    });
  }
  const port = (last === undefined ? undefined : await tryListen(last)) ?? (await findFree());
  if (port === undefined) throw new TerminalFailure({ code: "PORT_IN_USE", message: `no port of 127.0.0.1 is free for ${service}` });
  return port;
}

/**
 * Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): one of those may be taken by any
 * program's connection just when a service that has stopped wants its own again.
 */
const stablePorts = { from: 20_000, to: 32_767, tries: 20 };

async function findFree(): Promise<number | undefined> {
  for (let attempt = 0; attempt < stablePorts.tries; attempt++) {
    const port = await tryListen(randomInt(stablePorts.from, stablePorts.to + 1));
    if (port !== undefined) return port;
  }
  return tryListen(0);
}

function tryListen(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      const address = server.address();
      const taken = typeof address === "object" && address !== null ? address.port : undefined;
      server.close(() => resolve(taken));
    });
  });
}
