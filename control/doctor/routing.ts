import { explainRouting } from "../survey-routing.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "rules";

/** Do the rules send files to plugins that take them? */
export function checkRouting({ routing }: Patient): readonly Diagnosis[] {
  const found: Diagnosis[] = [];
  const { enabledRules, takenBy, files } = routing;
  if (enabledRules.length === 0 && routing.activePlugins.length > 0) {
    const hint = `casparian rule add '*.csv' ${routing.activePlugins[0]}`;
    found.push({ subject, severity: "error", message: "there is no enabled rule, so no file goes to a plugin", hint });
  }
  for (const rule of enabledRules.filter((candidate) => candidate.pluginName !== null && candidate.activeVersion === null)) {
    const message = `rule ${rule.ruleId} (${rule.pattern}) leads to ${rule.pluginName}, of which no version is active`;
    found.push({ subject, severity: "warning", message, hint: `casparian plugin publish FILE --name ${rule.pluginName}` });
  }
  const idle = enabledRules.filter((rule) => takenBy.get(rule.ruleId) === 0 && (rule.activeVersion !== null || rule.pluginName === null));
  for (const rule of files === 0 ? [] : idle) {
    const where = `${rule.tagged === null ? "" : ` tagged ${rule.tagged}`}${rule.source === null ? "" : ` of ${rule.source}`}`;
    const message = `rule ${rule.ruleId} (${rule.pattern}${where} → ${rule.pluginName ?? `tag ${rule.tag}`}) takes none of ${files} files`;
    found.push({ subject, severity: "warning", message, hint: "casparian rule test PATH says why for one file" });
  }
  const trouble = enabledRules.length > 0 && routing.activePlugins.length > 0 ? explainRouting(routing) : null;
  if (trouble !== null) {
    const none = routing.unmatched === files;
    found.push({
      subject,
      severity: none ? "error" : "warning",
      message: trouble.message,
      hint: `${trouble.hint}; casparian files --unmatched lists them`,
    });
  }
  if (found.length > 0) return found;
  if (routing.unmatched > 0) {
    return [
      {
        subject,
        severity: "info",
        message: `${enabledRules.length} enabled, and ${routing.unmatched} files wait for a plugin`,
        hint: null,
      },
    ];
  }
  return [
    { subject, severity: "ok", message: `${enabledRules.length} enabled, and every one of ${files} files goes to a plugin`, hint: null },
  ];
}
