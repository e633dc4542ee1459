import { testTransport } from "./transport-conformance.ts";

testTransport("unix");
