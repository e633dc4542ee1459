/**
 * Loaded before anything else into each thread of a worker's process (`--import`). Temporal's SDK gives its workflow thread two services
 * that cost more than the workflows themselves, and that can't be chosen:
 *
 * - the stack of each promise, for the query `__stack_trace`: an Error with a source map's look-up for each promise;
 * - a watchdog for each call into a workflow, which is a thread that is started and ended, against endless loops in foreign code.
 *
 * Measured over 300 workflows on two cores: the workflow thread took 17 ms of processor time for each with both and 7 ms with neither, and
 * the whole process 55 and 42 ms. What is lost: Temporal's Web UI shows no call stack of a running workflow. Workflows here are our own
 * code, and short; they say what they do by their activities, summaries and queries.
 */
import v8 from "node:v8";
import vm from "node:vm";
import { isMainThread } from "node:worker_threads";

if (!isMainThread) {
  v8.promiseHooks.createHook = () => () => {};
  const runInContext = vm.Script.prototype.runInContext;
  vm.Script.prototype.runInContext = function (context, options = {}) {
    const { timeout: _, ...unwatched } = options;
    return runInContext.call(this, context, unwatched);
  };
}
