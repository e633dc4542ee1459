import { createSinks } from "../../sinks/registry.ts";
import { messagesOf, numbersFor, requestFor } from "./arrow.ts";

/** Run as `node write-without-end.ts URI`: writes batches until it is killed, and prints a line for each. */
const [uri = ""] = process.argv.slice(2);
const { schema, messages } = messagesOf(numbersFor(uri, 50_000));
const writer = await createSinks({ baseDir: "/nowhere" }).forUri(uri).open(requestFor(schema, { uri }));
for (;;) {
  for (const message of messages) await writer.write(message);
  console.log("written");
}
