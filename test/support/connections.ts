import { connectionVariable, unknown, type Connections } from "../../domain/connection.ts";

/** Connections as the environment has them, in this process and in those that it starts: `CASPARIAN_CONNECTION_<NAME>`, a URL with its password. */
export const environmentConnections: Connections = {
  names: [],
  find(name) {
    const whole = process.env[connectionVariable(name)];
    if (whole === undefined) return unknown(name, []);
    const url = new URL(whole);
    const password = decodeURIComponent(url.password);
    url.password = "";
    return { name, url: url.href, password: password === "" ? null : password };
  },
};
