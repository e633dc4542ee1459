import { S3ServiceException } from "@aws-sdk/client-s3";
import { messageOf, TerminalFailure, TransientFailure } from "../../domain/failure.ts";

/** Runs `work` on a bucket; what the service refuses becomes SINK_REFUSED or, where it may pass, SINK_UNREACHABLE, in its own words. */
export async function onBucket<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TerminalFailure || error instanceof TransientFailure) throw error;
    const name = error instanceof Error ? error.name : "";
    const status = error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 0) : 0;
    const message = `${doing}: ${name === "Error" ? "" : `${name}: `}${messageOf(error)}`;
    // Without an answer the network failed; the SDK has tried three times by then.
    const isAnswer = error instanceof S3ServiceException && status > 0;
    if (isAnswer ? passing.has(name) || status === 429 || status >= 500 : name !== "CredentialsProviderError")
      throw new TransientFailure({ code: "SINK_UNREACHABLE", message, data: { name, status }, cause: error });
    throw new TerminalFailure({
      code: "SINK_REFUSED",
      message,
      hint: hints[name] ?? "Correct the bucket's settings, then retry the job",
      data: { name, status },
      cause: error,
    });
  }
}

const passing = new Set(["SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "InternalError", "ServiceUnavailable", "OperationAborted"]);

const credentials =
  "Give the worker's environment credentials that may read and write there (AWS_ACCESS_KEY_ID, AWS_PROFILE, a role), then retry";

const hints: Readonly<Record<string, string>> = {
  AccessDenied: credentials,
  InvalidAccessKeyId: credentials,
  SignatureDoesNotMatch: credentials,
  ExpiredToken: credentials,
  CredentialsProviderError: credentials,
  NoSuchBucket: "Create the bucket, or correct the topic's URI, then retry the job",
  PermanentRedirect: "Set AWS_REGION to the bucket's region, then retry the job",
  AuthorizationHeaderMalformed: "Set AWS_REGION to the bucket's region, then retry the job",
};

/** Whether the service says that there is no such object or upload. */
export function isAbsent(error: unknown): boolean {
  return (
    error instanceof S3ServiceException &&
    (["NotFound", "NoSuchKey", "NoSuchUpload"].includes(error.name) || error.$metadata.httpStatusCode === 404)
  );
}
