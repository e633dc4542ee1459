import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Product, RunningProduct } from "../../support/product.ts";
import { contract, pluginNames, plugins, sourceOf, targetNames, targets, targetsOf } from "./load.ts";
import { targetUrlFile, withDatabase } from "./record.ts";

const secret = "FAULTS_SECRET";

/** Starts the product with plugins, topics and contracts. One target is a database of its own in the server that is killed, too. */
export async function setUp(product: Product): Promise<RunningProduct> {
  process.env[secret] = "for nobody's eyes";
  await product.write("casparian.toml", '[connections.target]\nurl_file = "target-url"\n');
  await product.write("contract.toml", contract);
  const running = await product.start();
  const url = new URL(running.status.database.url);
  await withDatabase(url.href, (db) => db.query("create database target"));
  await writeFile(targetUrlFile(product.home), Object.assign(new URL(url), { pathname: "/target" }).href);
  for (const plugin of pluginNames) {
    const source = sourceOf(plugin, { home: product.home, port: Number(url.port), secret });
    const topics = targetsOf(plugin).map((target) => [target, { uri: targets[target].uri, mode: plugins[plugin].mode }]);
    const config = JSON.stringify(Object.fromEntries(topics));
    await product.json("plugin", "publish", await product.write(`${plugin}.py`, source), "--topic-config", config);
  }
  for (const target of targetNames.filter((name) => targets[name].hasContract)) {
    await product.json("contract", "approve", targets[target].plugin, target, "--file", join(product.home, "contract.toml"));
  }
  return running;
}
