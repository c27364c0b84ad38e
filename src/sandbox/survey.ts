// Which sandboxes work here: all are tried, for who wants to know why the strongest is not what he has.

import type { Helper } from "../helper/helper.ts";
import { rungs } from "./rungs.ts";
import type { SandboxReport } from "./sandbox.ts";
import { tryRung } from "./try-rung.ts";

export async function surveyRungs(helper: Helper, stateDir: string): Promise<readonly SandboxReport[]> {
  const reports: SandboxReport[] = [];
  for (const rung of rungs) {
    const trial = await tryRung(rung, helper, stateDir);
    if ("refusal" in trial) {
      const { reason, change, message } = trial.refusal;
      reports.push({ name: rung.name, works: false, why: reason, ...(message === reason ? {} : { message }), ...(change && { change }) });
    } else {
      const { form, warning } = trial;
      reports.push({ name: rung.name, works: true, why: form.describe(stateDir), ...(warning && { change: warning }) });
    }
  }
  return reports;
}
