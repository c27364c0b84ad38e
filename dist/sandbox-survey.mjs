import {
  describeTrial,
  rungs,
  tryRung
} from "./shared-8.mjs";
import "./shared-9.mjs";
import "./shared-4.mjs";
import "./shared-5.mjs";
import "./shared-7.mjs";
import "./shared-1.mjs";

// src/sandbox/survey.ts
async function surveyRungs(tools) {
  const reports = [];
  for (const rung of rungs) {
    const trial = await tryRung(rung, tools);
    if ("refusal" in trial) {
      const { reason, change, message } = trial.refusal;
      reports.push({ name: rung.name, works: false, why: reason, ...message === reason ? {} : { message }, ...change && { change } });
    } else {
      const { form, deputy, warning } = trial;
      await deputy.close();
      reports.push({ name: rung.name, works: true, why: describeTrial(form, deputy, tools.stateDir), ...warning && { change: warning } });
    }
  }
  return reports;
}
export {
  surveyRungs
};
