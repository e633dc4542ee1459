import { tellConnected } from "../bridge/runner/connected.ts";
import { ensureKeyPair, keyFile } from "../bridge/runner/keys.ts";
import type { Runners } from "../bridge/runner/listener.ts";
import { readTrustedRunners } from "../bridge/runner/trusted-runners.ts";
import type { Settings } from "../config/settings.ts";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";

/**
 * Listens for runners where the settings say so; `stack` ends it. Another worker of this machine may listen there already: then it has the
 * runners, and jobs that need one wait until that one takes them.
 */
export async function startListening(settings: Settings, log: Log, stack: AsyncDisposableStack): Promise<Runners | undefined> {
  const { stateDir, runners } = settings;
  if (runners.listen === undefined) return undefined;
  const { listenForRunners } = await import("../bridge/runner/listener.ts");
  try {
    const listening = await listenForRunners({
      listen: runners.listen,
      keys: await ensureKeyPair(keyFile(stateDir)),
      trusted: () => readTrustedRunners(runners.trusted),
      log,
      onChange: (connected) => tellConnected(stateDir, connected),
    });
    stack.defer(async () => {
      await listening.close();
      tellConnected(stateDir, null);
    });
    tellConnected(stateDir, []);
    log.info(`listening for runners on ${listening.address}`);
    return listening;
  } catch (error) {
    log.error(messageOf(error), { hint: "Plugins that are bound to a runner wait meanwhile" });
    return undefined;
  }
}
