import { presentFiles } from "../db/file-location.ts";
import { listPlugins } from "../db/plugin.ts";
import { activeRules, listRules, type RuleRow } from "../db/routing-rule.ts";
import { createRouter } from "../domain/route.ts";
import type { ControlContext } from "./context.ts";
import { createGroups, endingOf } from "./file-groups.ts";

/** How the files on record and the rules fit together. */
export interface RoutingSurvey {
  /** Present files of the sources looked at. */
  readonly files: number;
  /** Of these, the ones that no rule sends to an active plugin. */
  readonly unmatched: number;
  /** The endings of the unmatched files, most frequent first: `.csv`, or `` for none. */
  readonly endings: readonly { readonly ending: string; readonly files: number }[];
  readonly activePlugins: readonly string[];
  /** Enabled rules, also those whose plugin has no active version. */
  readonly enabledRules: readonly RuleRow[];
  /**
   * How many present files each rule with an active plugin or a tag takes, by rule id; a rule that another one goes before takes none, unless
   * it gives a tag.
   */
  readonly takenBy: ReadonlyMap<string, number>;
}

const endingsMax = 100;

/** Looks at every present file of some sources, or of all. */
export async function surveyRouting({ db }: Pick<ControlContext, "db">, sourceIds?: readonly string[]): Promise<RoutingSurvey> {
  const rules = await activeRules(db);
  const router = createRouter(rules);
  const taggers = rules.filter((rule) => rule.tag !== null);
  const endings = createGroups();
  const takenBy = new Map(rules.map((rule) => [rule.ruleId, 0]));
  const addTaken = ({ ruleId }: { readonly ruleId: string }): void => void takenBy.set(ruleId, takenBy.get(ruleId)! + 1);
  let files = 0;
  let unmatched = 0;
  for await (const page of presentFiles(db, sourceIds)) {
    for (const file of page) {
      files += 1;
      const matches = router.route(file.path, file.sourceId);
      for (const match of matches) if (match.tag === null) addTaken(match);
      for (const rule of taggers) if (router.takes(rule, file.path, file.sourceId)) addTaken(rule);
      // An archive that no rule takes is there for its members.
      if (matches.length > 0 || file.isOpened) continue;
      unmatched += 1;
      endings.add(endingOf(file.path), file);
    }
  }
  return {
    files,
    unmatched,
    endings: endings.largest(endingsMax).groups.map(({ name, files: amount }) => ({ ending: name, files: amount })),
    activePlugins: (await listPlugins(db, null)).filter((plugin) => plugin.state === "ACTIVE").map((plugin) => plugin.name),
    enabledRules: (await listRules(db)).filter((rule) => rule.enabled),
    takenBy,
  };
}

export interface RoutingTrouble {
  /** A sentence without a full stop. */
  readonly message: string;
  /** The next command. */
  readonly hint: string;
}

/** Why files get no job; null where every file has a rule. */
export function explainRouting(survey: RoutingSurvey): RoutingTrouble | null {
  if (survey.activePlugins.length === 0) {
    return { message: "no plugin is published, so no file can be processed", hint: "casparian plugin publish FILE" };
  }
  if (survey.files === 0 || survey.unmatched === 0) return null;
  const [first] = survey.endings;
  const pattern = first === undefined || first.ending === "" ? "PATTERN" : `'*${first.ending}'`;
  const plugin = survey.activePlugins.length === 1 ? survey.activePlugins[0]! : "PLUGIN";
  const list = survey.endings.slice(0, 5).map(({ ending, files }) => `${ending === "" ? "no ending" : ending}: ${files}`);
  const endings = `${list.join(", ")}${survey.endings.length > 5 ? ", …" : ""}`;
  const files = `${survey.unmatched} of ${survey.files} ${survey.files === 1 ? "file" : "files"}`;
  const sleeping = survey.enabledRules.find((rule) => rule.pluginName !== null && rule.activeVersion === null);
  if (survey.unmatched === survey.files && sleeping !== undefined && survey.takenBy.size === 0) {
    return {
      message: `the rules lead to plugins without an active version (${sleeping.pluginName})`,
      hint: `casparian plugin publish FILE --name ${sleeping.pluginName}`,
    };
  }
  return { message: `no rule sends ${files} to a plugin (${endings})`, hint: `casparian rule add ${pattern} ${plugin}` };
}
