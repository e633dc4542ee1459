import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { validEvent, type Event } from "./validate.ts";

/** How an endpoint answers: a status, with headers and a body where they matter; `hang` never answers. */
export type Reply = number | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string } | "hang";

/** A real HTTP server that takes events, and refuses those that the official schema refuses. */
export interface Receiver {
  readonly url: string;
  /** Taken, in the order of their arrival. */
  readonly events: readonly Event[];
  /** All requests, also those that were not taken. */
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }[];
  /** 201 unless told otherwise. */
  answer(reply: (event: Event) => Reply): void;
  forget(): void;
  close(): Promise<void>;
}

export async function startReceiver(port = 0): Promise<Receiver> {
  const events: Event[] = [];
  const requests: Receiver["requests"][number][] = [];
  let reply: (event: Event) => Reply = () => 201;
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      requests.push({ path: request.url ?? "", headers: request.headers, body });
      const event = validEvent(body);
      const given = reply(event);
      if (given === "hang") return;
      const { status, headers = {}, body: said = "" } = typeof given === "number" ? { status: given } : given;
      if (status < 300) events.push(event);
      response.writeHead(status, headers).end(said);
    })().catch((error: unknown) => response.writeHead(422).end(String(error)));
  });
  await listen(server, port);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/lineage`,
    events,
    requests,
    answer: (given) => void (reply = given),
    forget() {
      events.length = 0;
      requests.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
}
