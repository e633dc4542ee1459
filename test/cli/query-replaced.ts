import { expect, test } from "vitest";
import { setTopics } from "../../control/set-topic.ts";
import type { SinkMode } from "../../domain/topic.ts";
import { failureOf } from "../support/command.ts";
import type { QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

/** Where tables keep the rows that are replaced. */
export interface ReplacedTarget {
  readonly fixture: QueryFixture;
  /** The same for the same name, with and without `keep=replaced`. */
  uriOf(name: string, parameters: { readonly keeps: boolean }): string;
  /** Drops what is kept of a job's rows, the only ones that are, as somebody would. */
  dropKept(name: string, jobId: string): Promise<void>;
}

export function replacedSteps(target: () => ReplacedTarget) {
  return {
    /** A plugin for files of its name, in a table that keeps what is replaced. */
    publish: (name: string, code: string, mode: SinkMode = "replace"): Promise<void> =>
      target().fixture.publish(name, `*.${name}`, code, { mode, uri: target().uriOf(name, { keeps: true }) }),

    /** Commits a result and returns the time when it was current. */
    async produce(file: string, content: string): Promise<string> {
      await target().fixture.produce(file, content);
      return target().fixture.committedLast();
    },

    refusal: async (...args: readonly string[]) => failureOf(await target().fixture.query("query", ...args, "--json")),

    ids: async (name: string, ...args: readonly string[]): Promise<readonly number[]> =>
      (await target().fixture.rows<{ id: number }>(`select id from ${name} order by 1`, ...args)).map(({ id }) => id),
  };
}

/** What `--as-of` finds in every kind of table. */
export function describeReplaced(target: () => ReplacedTarget): void {
  const { publish, produce, refusal, ids } = replacedSteps(target);

  test("rows of a table are those of each time, replaced and current ones together", async () => {
    await publish("history", tablePlugin);
    const times = [
      await produce("a.history", "id\n1\n2\n"),
      await produce("b.history", "id\n10\n"),
      await produce("a.history", "id\n3\n"),
      await produce("a.history", "id\n4\n5\n6\n"),
      await produce("b.history", "id\n11\n"),
    ];
    expect(await ids("history", "--as-of", times[1]!)).toEqual([1, 2, 10]);
    expect(await ids("history", "--as-of", times[3]!)).toEqual([4, 5, 6, 10]);
    expect(await ids("history")).toEqual([4, 5, 6, 11]);
  });

  test("what was replaced before the parameter was there, or was dropped since, is refused, and the target stays the same", async () => {
    const { fixture, uriOf, dropKept } = target();
    await fixture.publish("later", "*.later", tablePlugin, { mode: "replace", uri: uriOf("later", { keeps: false }) });
    const first = await produce("a.later", "id\n1\n");
    const job = await fixture.produce("a.later", "id\n2\n");
    const second = await fixture.committedLast();
    const lost = {
      code: "OUTPUT_REPLACED",
      message: expect.stringContaining("1 of the results") as string,
      hint: expect.stringContaining("keep=replaced") as string,
    };
    expect(await refusal("from later", "--as-of", first)).toMatchObject(lost);
    const context = { db: fixture.jobs.database.db, actor: "test@here", temporal: null };
    const topic = { uri: uriOf("later", { keeps: true }), mode: "replace" } as const;
    expect(await setTopics(context, "later", new Map([["later", topic]]))).toEqual(["later"]);
    await fixture.produce("a.later", "id\n3\n");
    expect(await ids("later")).toEqual([3]);
    expect(await ids("later", "--as-of", second)).toEqual([2]);
    expect(await refusal("from later", "--as-of", first)).toMatchObject(lost);
    expect((await fixture.rows<{ plugin: string }>("--tables")).filter(({ plugin }) => plugin === "later")).toHaveLength(1);
    await dropKept("later", job);
    expect(await refusal("from later", "--as-of", second)).toMatchObject({ code: "OUTPUT_REPLACED" });
    // A file has one result there, with and without the parameter.
    await setTopics(context, "later", new Map([["later", { ...topic, mode: "error" }]]));
    await expect(fixture.produce("a.later", "id\n4\n")).rejects.toMatchObject({ type: "RESULT_EXISTS" });
  });
}
