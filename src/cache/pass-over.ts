// Tells of the records that a look-up passes over: one warning for each reason, since a blob that is gone is a reason for many.

import type { Report } from "../report/report.ts";
import type { Key } from "./store.ts";

export interface PassedOver {
  add(key: Key, error: unknown): void;
  tell(): void;
}

export function openPassedOver(name: string, report: Pick<Report, "emit">): PassedOver {
  const reasons = new Map<string, Key[]>();
  return {
    add(key, error) {
      const why = error instanceof Error ? error.message : String(error);
      const keys = reasons.get(why);
      if (keys === undefined) reasons.set(why, [key]);
      else keys.push(key);
    },
    tell() {
      for (const [why, [first, ...others]] of reasons) {
        const rest = others.length === 0 ? "" : ` and ${others.length} more`;
        report.emit({ kind: "warning", text: `Passing over the record ${first}${rest} in ${name}: ${why}` });
      }
    },
  };
}
