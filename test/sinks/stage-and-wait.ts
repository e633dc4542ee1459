import { once } from "node:events";
import { createSinks } from "../../sinks/registry.ts";
import { environmentConnections } from "../support/connections.ts";
import { messagesOf, numbersFor, requestFor } from "./arrow.ts";

/** Run as `node stage-and-wait.ts BASE_DIR URI`: stages ten rows, prints the description, and waits to be killed. */
const [baseDir = "", uri = ""] = process.argv.slice(2);
const { schema, messages } = messagesOf(numbersFor(uri, 10));
const writer = await createSinks({ baseDir, connections: environmentConnections }).forUri(uri).open(requestFor(schema, { uri }));
for (const message of messages) await writer.write(message);
console.log(JSON.stringify(await writer.stage()));
setInterval(() => {}, 1000);
await once(process, "never");
