/** A watching process that crashes. */
process.kill(process.pid, "SIGSEGV");
