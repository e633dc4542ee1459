import { Connection } from "@temporalio/client";
import { connect } from "node:net";

/** Whether a Temporal server answers at the address and has the namespace. */
export async function isReady(address: string, namespace: string): Promise<boolean> {
  // gRPC waits a second before it tries a refused connection again, so the port is watched first.
  if (!(await accepts(address))) return false;
  const connection = Connection.lazy({ address });
  try {
    await connection.withDeadline(Date.now() + 1000, () => connection.workflowService.describeNamespace({ namespace }));
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}

function accepts(address: string): Promise<boolean> {
  const [host = "", port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
