import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect } from "vitest";

/** An event as far as tests look at it. */
export interface Event {
  readonly eventType: "START" | "COMPLETE" | "FAIL" | "ABORT";
  readonly eventTime: string;
  readonly run: { readonly runId: string; readonly facets: Readonly<Record<string, Facet>> };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: Readonly<Record<string, Facet>> };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
}

export interface Dataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets: Readonly<Record<string, Facet>>;
  readonly inputFacets?: Readonly<Record<string, Facet>>;
  readonly outputFacets?: Readonly<Record<string, Facet>>;
}

// oxlint-disable-next-line typescript/no-explicit-any
type Facet = any;

const folder = new URL("schemas/", import.meta.url);
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
  ajv.addSchema(JSON.parse(readFileSync(new URL(name, folder), "utf8")) as object);
}

/** The event of a line, which the official schemas must take: the event by its own, and each of its facets by the one that it names. */
export function validEvent(line: string): Event {
  const event = JSON.parse(line) as Event & { readonly schemaURL: string };
  requireValid(event.schemaURL, event);
  const facets = [event.run, event.job, ...event.inputs, ...event.outputs].flatMap((part) => {
    const { facets: own, inputFacets, outputFacets } = part as Partial<Dataset>;
    return Object.entries({ ...own, ...inputFacets, ...outputFacets });
  });
  for (const [, facet] of facets) requireValid((facet as { readonly _schemaURL: string })["_schemaURL"], facet);
  expect(facets.length).toBeGreaterThan(4);
  return event;
}

function requireValid(schema: string, value: unknown): void {
  const validate = ajv.getSchema(schema);
  if (validate === undefined) throw new Error(`there is no schema ${schema}`);
  if (validate(value) !== true) throw new Error(`${schema}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
}
