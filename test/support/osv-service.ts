import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface OsvService {
  readonly url: string;
  /** Names of the packages that it was asked about, as they came. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Speaks as much of the OSV API (https://google.github.io/osv.dev/api/) as `uv audit` uses, and knows one vulnerability. */
export async function startOsvService(known: {
  readonly name: string;
  readonly id: string;
  readonly summary: string;
  readonly fixed: string;
}): Promise<OsvService> {
  const asked: string[] = [];
  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const dates = { modified: "2024-01-01T00:00:00Z", published: "2021-03-19T00:00:00Z" };
    if (request.url !== "/v1/querybatch") {
      const ranges = [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: known.fixed }] }];
      const affected = [{ package: { name: known.name, ecosystem: "PyPI" }, ranges }];
      return { id: known.id, summary: known.summary, details: "", ...dates, affected };
    }
    const { queries } = JSON.parse(await text(request)) as { queries: { package: { name: string } }[] };
    asked.push(...queries.map((query) => query.package.name));
    return { results: queries.map((query) => (query.package.name === known.name ? { vulns: [{ id: known.id, ...dates }] } : {})) };
  };
  const server = createServer((request, response) => {
    void answer(request).then((value) => response.setHeader("content-type", "application/json").end(JSON.stringify(value)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
