/**
 * Finite automata over bytes, for checks of texts that are all ASCII: a table of states by byte, without making a text of each value. Built
 * from a set of texts, or from the regular expressions that need no memory. Source: Thompson's construction and the subset construction.
 */
export interface Automaton {
  /** The next state, by 256 * state + byte. State 0 is where nothing fits any more; 1 is the first. */
  readonly next: Uint16Array;
  /** 1 for states in which a whole value may end. */
  readonly accepts: Uint8Array;
}

const statesMax = 2_000;

/** Accepts just these texts; null where they are too many, or not all ASCII. */
export function setAutomaton(texts: readonly string[]): Automaton | null {
  const states: Map<number, number>[] = [new Map(), new Map()];
  const ends = new Set<number>();
  for (const text of texts) {
    let state = 1;
    for (const character of text) {
      const code = character.codePointAt(0)!;
      if (code > 127 || states.length > statesMax) return null;
      const known = states[state]!.get(code);
      if (known === undefined) states.push(new Map());
      states[state]!.set(code, known ?? states.length - 1);
      state = known ?? states.length - 1;
    }
    ends.add(state);
  }
  return tableOf(states, ends);
}

function tableOf(states: readonly ReadonlyMap<number, number>[], ends: ReadonlySet<number>): Automaton {
  const next = new Uint16Array(256 * states.length);
  for (const [state, edges] of states.entries()) for (const [code, to] of edges) next[256 * state + code] = to;
  return { next, accepts: Uint8Array.from(states, (_, number) => (ends.has(number) ? 1 : 0)) };
}

/**
 * Accepts what the whole of a regular expression of JavaScript (flag `u`) accepts, of ASCII texts; null for expressions with anything but
 * characters, classes, groups, alternatives and greedy repetitions, which stay with the engine.
 */
export function patternAutomaton(pattern: string): Automaton | null {
  const nfa: Edge[][] = [];
  const builder: Builder = { pattern, at: 0, nfa };
  try {
    const whole = alternatives(builder);
    return builder.at === pattern.length ? subsets(nfa, whole) : null;
  } catch (error) {
    if (error instanceof Unsupported) return null;
    throw error;
  }
}

class Unsupported extends Error {}

/** To another state by one of these bytes, or by none where it is null. */
interface Edge {
  readonly by: ReadonlySet<number> | null;
  readonly to: number;
}

interface Builder {
  readonly pattern: string;
  at: number;
  readonly nfa: Edge[][];
}

/** A part of the automaton: where it begins and where it ends. */
interface Part {
  readonly from: number;
  readonly to: number;
}

function newState({ nfa }: Builder): number {
  if (nfa.length > 4 * statesMax) throw new Unsupported();
  return nfa.push([]) - 1;
}

function link({ nfa }: Builder, from: number, to: number, by: ReadonlySet<number> | null = null): void {
  nfa[from]!.push({ by, to });
}

function alternatives(builder: Builder): Part {
  const part = { from: newState(builder), to: newState(builder) };
  do {
    const branch = sequence(builder);
    link(builder, part.from, branch.from);
    link(builder, branch.to, part.to);
  } while (takeIf(builder, "|"));
  return part;
}

function takeIf(builder: Builder, text: string): boolean {
  if (!builder.pattern.startsWith(text, builder.at)) return false;
  builder.at += text.length;
  return true;
}

function sequence(builder: Builder): Part {
  const from = newState(builder);
  let to = from;
  while (builder.at < builder.pattern.length && !"|)".includes(builder.pattern[builder.at]!)) {
    const part = repeated(builder);
    link(builder, to, part.from);
    to = part.to;
  }
  return { from, to };
}

function repeated(builder: Builder): Part {
  const begin = builder.at;
  const part = atom(builder);
  const end = builder.at;
  const [least, most] = quantifier(builder);
  const after = builder.at;
  if (builder.pattern[after] === "?") throw new Unsupported();
  // The atom is read again for each copy that is needed.
  const copy = (): Part => {
    builder.at = begin;
    const copied = atom(builder);
    if (builder.at !== end) throw new Unsupported();
    return copied;
  };
  const whole = { from: newState(builder), to: newState(builder) };
  let last = whole.from;
  for (let count = 0; count < Math.max(least, most === Infinity ? 1 : most); count += 1) {
    const next = count === 0 ? part : copy();
    if (count >= least) link(builder, last, whole.to);
    link(builder, last, next.from);
    if (most === Infinity && count >= least - 1) link(builder, next.to, next.from);
    last = next.to;
  }
  link(builder, last, whole.to);
  builder.at = after;
  return whole;
}

function quantifier(builder: Builder): readonly [least: number, most: number] {
  if (takeIf(builder, "*")) return [0, Infinity];
  if (takeIf(builder, "+")) return [1, Infinity];
  if (takeIf(builder, "?")) return [0, 1];
  const [all, least, comma, most] = /^\{(\d+)(,?)(\d*)\}/.exec(builder.pattern.slice(builder.at)) ?? [];
  if (all === undefined) return [1, 1];
  builder.at += all.length;
  const bounds = [Number(least), comma === "" ? Number(least) : most === "" ? Infinity : Number(most)] as const;
  if (bounds[0] > 200 || (bounds[1] > 200 && bounds[1] !== Infinity) || bounds[1] === 0) throw new Unsupported();
  return bounds;
}

function atom(builder: Builder): Part {
  const { pattern } = builder;
  if (takeIf(builder, "(?:") || (pattern[builder.at] === "(" && pattern[builder.at + 1] !== "?" && takeIf(builder, "("))) {
    const part = alternatives(builder);
    if (!takeIf(builder, ")")) throw new Unsupported();
    return part;
  }
  const part = { from: newState(builder), to: newState(builder) };
  link(builder, part.from, part.to, characters(builder));
  return part;
}

const all = Array.from({ length: 128 }, (_, code) => code);
const setOf = (expression: RegExp): ReadonlySet<number> => new Set(all.filter((code) => expression.test(String.fromCharCode(code))));
const classes: Readonly<Record<string, ReadonlySet<number>>> = {
  d: setOf(/\d/),
  D: setOf(/\D/),
  w: setOf(/\w/),
  W: setOf(/\W/),
  s: setOf(/\s/),
  S: setOf(/\S/),
};
const anyCharacter = setOf(/./);

function characters(builder: Builder): ReadonlySet<number> {
  const character = builder.pattern[builder.at++]!;
  if (character === ".") return anyCharacter;
  if (character === "\\") return escaped(builder);
  if (character === "[") return classOf(builder);
  if ("^$(){}[]*+?|".includes(character) || character > "\x7f") throw new Unsupported();
  return new Set([character.charCodeAt(0)]);
}

function escaped(builder: Builder): ReadonlySet<number> {
  const character = builder.pattern[builder.at++] ?? "";
  const known = classes[character];
  if (known !== undefined) return known;
  if (!/^[\\^$.*+?()[\]{}|/-]$/.test(character)) throw new Unsupported();
  return new Set([character.charCodeAt(0)]);
}

function classOf(builder: Builder): ReadonlySet<number> {
  const isNegated = takeIf(builder, "^");
  const found = new Set<number>();
  while (!takeIf(builder, "]")) {
    const from = classMember(builder);
    if (builder.pattern[builder.at] !== "-" || builder.pattern[builder.at + 1] === "]") {
      for (const code of from) found.add(code);
      continue;
    }
    builder.at += 1;
    const to = classMember(builder);
    if (from.size !== 1 || to.size !== 1) throw new Unsupported();
    for (let code = [...from][0]!; code <= [...to][0]!; code += 1) found.add(code);
  }
  return isNegated ? new Set(all.filter((code) => !found.has(code))) : found;
}

function classMember(builder: Builder): ReadonlySet<number> {
  const character = builder.pattern[builder.at++];
  if (character === undefined || character > "\x7f") throw new Unsupported();
  return character === "\\" ? escaped(builder) : new Set([character.charCodeAt(0)]);
}

/** Each state of the result stands for the states in which the other one may be. */
function subsets(nfa: readonly (readonly Edge[])[], whole: Part): Automaton | null {
  const close = (from: Iterable<number>): readonly number[] => {
    const reached = new Set(from);
    for (const each of reached) for (const { by, to } of nfa[each]!) if (by === null) reached.add(to);
    return [...reached].toSorted((a, b) => a - b);
  };
  const states: Map<number, number>[] = [new Map()];
  const ends = new Set<number>();
  const known = new Map<string, number>();
  const waiting: (readonly [state: number, members: readonly number[]])[] = [];
  const enter = (members: readonly number[]): number => {
    const found = known.get(members.join());
    if (found !== undefined) return found;
    const number = states.push(new Map()) - 1;
    known.set(members.join(), number);
    if (members.includes(whole.to)) ends.add(number);
    waiting.push([number, members]);
    return number;
  };
  enter(close([whole.from]));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (states.length > statesMax) return null;
    const [number, members] = next;
    const edges = members.flatMap((member) => nfa[member]!).filter(({ by }) => by !== null);
    for (const code of all) {
      const targets = edges.filter(({ by }) => by!.has(code)).map(({ to }) => to);
      if (targets.length > 0) states[number]!.set(code, enter(close(targets)));
    }
  }
  return tableOf(states, ends);
}
