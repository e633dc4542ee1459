import { WorkflowExecutionAlreadyStartedError, type Client, type WorkflowOptions } from "@temporalio/client";
import { WorkflowIdConflictPolicy } from "@temporalio/common";
import { NativeConnection } from "@temporalio/worker";

export interface StartedOrSignalled {
  readonly workflowType: string;
  readonly options: Omit<WorkflowOptions, "workflowIdConflictPolicy"> & { readonly args: unknown[] };
  /** What a workflow that runs under this id already is to hear; null where it is enough that it runs. */
  readonly signal: { readonly name: string; readonly args: unknown[] } | null;
}

/**
 * Starts a workflow, or signals the one that runs under its id.
 *
 * Mostly none runs, so it is started first: an eager start hands the first task over with the answer, some 50 ms less for each version
 * and 10 ms less for a scan, beside signal-with-start. Only a worker's own connection can.
 */
export async function startOrSignal(client: Client, { workflowType, options, signal }: StartedOrSignalled): Promise<void> {
  try {
    await client.workflow.start(workflowType, {
      ...options,
      workflowIdConflictPolicy: signal === null ? WorkflowIdConflictPolicy.USE_EXISTING : WorkflowIdConflictPolicy.FAIL,
      requestEagerStart: client.connection instanceof NativeConnection,
    });
  } catch (error) {
    if (signal === null || !(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    // It may end before the signal reaches it: then this starts the next one.
    await client.workflow.signalWithStart(workflowType, {
      ...options,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      signal: signal.name,
      signalArgs: signal.args,
    });
  }
}
