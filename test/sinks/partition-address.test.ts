import { describe, expect, test } from "vitest";
import { topicUri } from "../../sinks/topic-uri.ts";

describe("a topic's URI", () => {
  test("is kept in one spelling", () => {
    expect(topicUri("parquet://out/x?partition=trade%5Fdate,the%20venue", "x")).toBe("parquet://out/x?partition=trade_date,the%20venue");
    expect(topicUri("parquet://out/x", "x")).toBe("parquet://out/x");
  });

  test.each([
    ["parquet://out?partitions=a", `"partitions" is no parameter`],
    ["parquet://out?partition", `"partition" is no parameter`],
    ["parquet://out?partition=a&partition=b", "twice by what"],
    ["parquet://out?partition=a,A", `names the column "A" twice`],
    ["parquet://out?partition=", `after the column ""`],
    ["parquet://out?partition=a,b,c,d,e", "5 columns, and 4 are the most"],
    ["parquet://out?partition=a%2Fb", `after the column "a/b"`],
    ["parquet://out?partition=_a", `after the column "_a"`],
    ["parquet://out?partition=%zz", "not percent-encoded"],
    ["parquet://out?partition=_cf_job_id", "folder can't be named"],
    ["parquet://out?partition=CF_result", "no column of the plugin's"],
    ["parquet://?partition=a", "names no folder"],
    ["s3://bucket/out?partition=a", "can't be partitioned"],
    ["csv://out?partition=a", "can't be partitioned"],
  ])("%s is refused when it is set", (uri, message) => {
    expect(() => topicUri(uri, "out")).toThrow(
      expect.objectContaining({ code: "SINK_URI", message: expect.stringContaining(message) as string }),
    );
  });
});
