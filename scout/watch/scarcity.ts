/** What the kernel has no more of, it has no more of for the next folder either. */
const adviceByCode: Readonly<Record<string, string>> = {
  ENOSPC: "raise the limit: sysctl fs.inotify.max_user_watches=1048576",
  EMFILE: "raise the limits: sysctl fs.inotify.max_user_instances=1024, ulimit -n 65536",
  ENFILE: "free some memory or close some files",
  ENOMEM: "free some memory or close some files",
};

/** Whether a failure to watch says that a limit of the system is reached. */
export function isScarcity(code: string): boolean {
  return code in adviceByCode;
}

/** What an operator can do about a failure to watch. */
export function adviceFor(code: string): string {
  return adviceByCode[code] ?? "choose another way: casparian source set NAME --watch chokidar, native or off";
}
