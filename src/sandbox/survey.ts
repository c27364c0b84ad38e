// Which sandboxes work here: all are tried, for who wants to know why the strongest is not what he has.

import type { DeputyTools } from "./deputy.ts";
import { describeTrial, rungs } from "./rungs.ts";
import type { SandboxReport } from "./sandbox.ts";
import { tryRung } from "./try-rung.ts";

export async function surveyRungs(tools: DeputyTools): Promise<readonly SandboxReport[]> {
  const reports: SandboxReport[] = [];
  for (const rung of rungs) {
    const trial = await tryRung(rung, tools);
    if ("refusal" in trial) {
      const { reason, change, message } = trial.refusal;
      reports.push({ name: rung.name, works: false, why: reason, ...(message === reason ? {} : { message }), ...(change && { change }) });
    } else {
      const { form, deputy, warning } = trial;
      await deputy.close();
      reports.push({ name: rung.name, works: true, why: describeTrial(form, deputy, tools.stateDir), ...(warning && { change: warning }) });
    }
  }
  return reports;
}
