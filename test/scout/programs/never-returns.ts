/** A watching process that hangs inside its library. */
process.send?.({ kind: "calling" }, () => {
  for (;;);
});
