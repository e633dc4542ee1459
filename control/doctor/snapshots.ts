import { listSnapshots } from "../list-snapshots.ts";
import { examineCopies } from "../../snapshots/examine.ts";
import { findStore } from "../../snapshots/store.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "snapshots";
/** Copies looked at, without reading them; all of them are read by `casparian snapshots --verify`. */
const copiesLookedAt = 5_000;

/** Are the copies there that the record says are kept? Nothing is said where none is asked for. */
export async function checkSnapshots(patient: Patient): Promise<readonly Diagnosis[]> {
  const { sources, here } = await listSnapshots(patient, patient.stateDir);
  if (sources.length === 0) return [];
  const store = await findStore(patient.stateDir);
  if (store === null || here === null || here.contents === 0) {
    return [{ subject, severity: "info", message: "no copy is kept in this home so far", hint: "casparian snapshots" }];
  }
  const { contents, damaged } = await examineCopies(patient.db, store, { quick: true, limit: copiesLookedAt });
  const [first] = damaged;
  if (first !== undefined) {
    const message = `${damaged.length} of ${contents} copies are damaged, first ${first.path}: ${first.message}`;
    return [
      {
        subject,
        severity: "error",
        message,
        hint: "casparian snapshots --verify says which files they are of; --repair mends what can be",
      },
    ];
  }
  return [{ subject, severity: "ok", message: `${here.contents} contents kept in ${here.folder}`, hint: null }];
}
