import { nativeMissing } from "../../../scout/watch/native-message.ts";

/** A watching process whose library was not installed. */
process.send?.({ kind: "ended", code: nativeMissing, message: "No prebuild or local build of @parcel/watcher found" });
process.once("disconnect", () => process.exit(0));
