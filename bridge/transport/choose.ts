import type { TransportName } from "../../domain/transport.ts";
import type { Transport } from "./transport.ts";
import { unixTransport } from "./unix.ts";

/** ZeroMQ's library is loaded only where it is asked for. */
export async function chooseTransport(name: TransportName): Promise<Transport> {
  return name === "unix" ? unixTransport : (await import("./zeromq.ts")).zeromqTransport;
}
