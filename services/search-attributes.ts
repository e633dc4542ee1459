import { isGrpcServiceError, type ConnectionLike } from "@temporalio/client";
import { encodeSearchAttributeIndexedValueType } from "@temporalio/common/lib/search-attributes.js";
import { setTimeout } from "node:timers/promises";
import { messageOf, ServiceUnreachable, TerminalFailure } from "../domain/failure.ts";

/** The search attributes by which an operator finds workflows, as `workflows/names.ts` names them, with their types. */
export const keywordAttributes = {
  CasparianSource: "KEYWORD",
  CasparianPath: "KEYWORD",
  CasparianPlugin: "KEYWORD_LIST",
  CasparianState: "KEYWORD",
} as const;

/** The types as Temporal's command line names them. */
export const cliNames = { KEYWORD: "Keyword", KEYWORD_LIST: "KeywordList" } as const;

/** gRPC's status codes, from its specification. */
const status = { DEADLINE_EXCEEDED: 4, NOT_FOUND: 5, UNAVAILABLE: 14 } as const;

/** A server's frontends learn of new attributes when they refresh their caches. */
const visibleMsMax = 60_000;

/**
 * Registers what is missing of our search attributes in a namespace, and returns when workflows can be started with them. A server that
 * doesn't let us look is content if they work.
 * Throws TerminalFailure SEARCH_ATTRIBUTES when the server refuses, or has one of these names with another type; TEMPORAL_NAMESPACE when
 * there is no such namespace; ServiceUnreachable when the server doesn't answer.
 */
export async function ensureSearchAttributes(connection: ConnectionLike, namespace: string): Promise<void> {
  try {
    if (await addMissing(connection, namespace)) await waitUntilUsable(connection, namespace);
  } catch (error) {
    if (!isGrpcServiceError(error)) throw error;
    const code: number = error.code;
    if (code === status.NOT_FOUND) throw noNamespace(namespace, error);
    if (code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED) throw unreachable(error);
    if (!(await isUsable(connection, namespace))) throw refused(namespace, messageOf(error), error);
  }
}

/** Whether there was anything to add. */
async function addMissing(connection: ConnectionLike, namespace: string): Promise<boolean> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const searchAttributes: Record<string, NonNullable<ReturnType<typeof encodeSearchAttributeIndexedValueType>>> = {};
  for (const [name, type] of Object.entries(keywordAttributes)) {
    const [found, wanted] = [customAttributes[name], encodeSearchAttributeIndexedValueType(type)!];
    if (found === undefined) searchAttributes[name] = wanted;
    else if (found !== wanted) throw refused(namespace, `${name} is there already with another type than ${cliNames[type]}`);
  }
  if (Object.keys(searchAttributes).length === 0) return false;
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes }).catch((error: unknown) => {
    // Another program may have been faster.
    if (!/already exist/i.test(messageOf(error))) throw error;
  });
  return true;
}

async function waitUntilUsable(connection: ConnectionLike, namespace: string): Promise<void> {
  const deadline = Date.now() + visibleMsMax;
  while (!(await isUsable(connection, namespace))) {
    if (Date.now() > deadline) throw refused(namespace, `the server doesn't know them ${visibleMsMax / 1000} s after they were added`);
    await setTimeout(100);
  }
}

async function isUsable({ workflowService }: ConnectionLike, namespace: string): Promise<boolean> {
  const query = Object.keys(keywordAttributes).map((name) => `${name} = 'x'`);
  return workflowService.countWorkflowExecutions({ namespace, query: query.join(" and ") }).then(
    () => true,
    () => false,
  );
}

function noNamespace(namespace: string, cause: unknown): TerminalFailure {
  return new TerminalFailure({
    code: "TEMPORAL_NAMESPACE",
    message: `the Temporal server has no namespace ${namespace}: ${messageOf(cause)}`,
    hint: `Set TEMPORAL_NAMESPACE or [temporal] namespace, or make it: temporal operator namespace create --namespace ${namespace}`,
    cause,
  });
}

function unreachable(cause: unknown): ServiceUnreachable {
  return new ServiceUnreachable({
    message: `Temporal does not answer: ${messageOf(cause)}`,
    hint: "Check that it runs and that its address is right (TEMPORAL_ADDRESS, [temporal] address)",
    cause,
  });
}

function refused(namespace: string, why: string, cause?: unknown): TerminalFailure {
  const flags = Object.entries(keywordAttributes).map(([name, type]) => `--name ${name} --type ${cliNames[type]}`);
  return new TerminalFailure({
    code: "SEARCH_ATTRIBUTES",
    message: `the search attributes can't be registered in the Temporal namespace ${namespace}: ${why}`,
    hint: `Let somebody who may do it run: temporal operator search-attribute create --namespace ${namespace} ${flags.join(" ")}`,
    cause,
  });
}
