import { describePythons } from "../../bridge/pythons.ts";
import { sandboxCapabilities, type SandboxCapabilities } from "../../bridge/sandbox.ts";
import { messageOf } from "../../domain/failure.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

/** Does Temporal answer, and do workers ask it for work? */
export function checkServices({ temporal, workers }: Patient): readonly Diagnosis[] {
  const subject = "services";
  if (temporal === null || workers === null) {
    return [
      {
        subject,
        severity: "info",
        message: "the database answers; Temporal does not run here now",
        hint: "casparian start, or casparian scan --wait",
      },
    ];
  }
  if (workers === 0) {
    return [
      {
        subject,
        severity: "error",
        message: "database and Temporal answer, and no worker runs",
        hint: "casparian worker, or casparian start",
      },
    ];
  }
  return [{ subject, severity: "ok", message: `database and Temporal answer; workers: ${workers}`, hint: null }];
}

/** Are the tools there, and a Python that is new enough? */
export function checkTools({ host }: Patient): readonly Diagnosis[] {
  const subject = "tools";
  const found: Diagnosis[] = [];
  if ("trouble" in host.python) {
    found.push({ subject, severity: "error", message: host.python.trouble, hint: "Install Python 3.10 or newer, or set CASPARIAN_PYTHON" });
  }
  const missing = [host.tools.uv === null ? "uv" : null, host.tools.temporal === null && host.needsTemporalTool ? "temporal" : null];
  for (const tool of missing.filter((name) => name !== null)) {
    found.push({ subject, severity: "info", message: `${tool} is not here yet; it is installed when it is needed first`, hint: null });
  }
  if (found.length > 0 || "trouble" in host.python) return found;
  const pythons: readonly Diagnosis[] =
    host.pythons === undefined || host.pythons === null
      ? []
      : [{ subject: "pythons", severity: "ok", message: `plugins may ask for ${describePythons(host.pythons)}`, hint: null }];
  const paths = [host.tools.uv, host.needsTemporalTool ? host.tools.temporal : null, `${host.python.path} (${host.python.version})`];
  return [{ subject, severity: "ok", message: paths.filter((path) => path !== null).join(", "), hint: null }, ...pythons];
}

/** What does this kernel give to keep a plugin in? */
export async function checkSandbox({ host, plugins }: Patient): Promise<readonly Diagnosis[]> {
  const subject = "sandbox";
  if ("trouble" in host.python) return [];
  try {
    const walls = await sandboxCapabilities({ python: host.python.path });
    const there = wallsOf(walls).join(", ") || "nothing";
    if (walls.lacking.length === 0)
      return [{ subject, severity: "ok", message: `plugins are confined in every way that we know: ${there}`, hint: null }];
    const required = plugins?.sandbox === "require";
    return [
      ...walls.lacking.map(({ message, remedy }) => ({
        subject,
        severity: required ? ("error" as const) : ("warning" as const),
        message: required ? `jobs are refused here (sandbox = "require"): ${message}` : message,
        hint: remedy,
      })),
      { subject, severity: "info", message: `what keeps plugins in here: ${there}`, hint: null },
    ];
  } catch (error) {
    return [{ subject, severity: "warning", message: `what keeps a plugin in can't be found out: ${messageOf(error)}`, hint: null }];
  }
}

function wallsOf({ userNamespace, pidNamespace, networkNamespace, landlock, seccomp }: SandboxCapabilities): readonly string[] {
  const named = [userNamespace ? "user" : null, pidNamespace ? "process" : null, networkNamespace ? "network" : null];
  const namespaces = named.filter((name) => name !== null).join(", ");
  return [
    ...(namespaces === "" ? [] : [`namespaces (${namespaces})`]),
    ...(landlock === 0 ? [] : [`Landlock ${landlock}`]),
    ...(seccomp ? ["a system call filter"] : []),
  ];
}
