/**
 * Remembers how long each plugin's latest runs took in this worker, to tell which ones are short enough to be run within a workflow task.
 *
 * A regular activity costs the server and the worker some 30 ms of processor time for each file more than one within the task; but such
 * a one has no heartbeat, and must end well within the ten seconds that a workflow task has.
 */
export interface Pace {
  note(pluginId: string, seconds: number): void;
  isQuick(pluginId: string, sizeBytes: number): boolean;
}

const runsKept = 8;
const quickSecondsMax = 1.5;
const quickBytesMax = 4 * 1024 * 1024;

export function createPace(): Pace {
  const latest = new Map<string, readonly number[]>();
  return {
    note(pluginId, seconds) {
      latest.set(pluginId, [...(latest.get(pluginId) ?? []), seconds].slice(-runsKept));
    },
    isQuick(pluginId, sizeBytes) {
      const seconds = latest.get(pluginId);
      if (seconds === undefined || sizeBytes > quickBytesMax) return false;
      // One slow run among quick ones is a cold start or a busy machine; two are the plugin's own pace.
      const slow = seconds.filter((each) => each > quickSecondsMax).length;
      return slow < Math.min(2, seconds.length);
    },
  };
}
