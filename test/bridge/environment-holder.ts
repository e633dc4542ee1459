/** Uses an environment until it is killed. */
import { useEnvironment } from "../../bridge/environment-use.ts";

useEnvironment(process.argv[2]!);
console.log("used");
setInterval(() => {}, 1_000);
