import {
  rungs,
  tryRung
} from "./shared-8.mjs";
import "./shared-9.mjs";
import "./shared-4.mjs";
import "./shared-5.mjs";
import "./shared-7.mjs";
import "./shared-1.mjs";

// src/sandbox/survey.ts
async function surveyRungs(helper, stateDir) {
  const reports = [];
  for (const rung of rungs) {
    const trial = await tryRung(rung, helper, stateDir);
    if ("refusal" in trial) {
      const { reason, change, message } = trial.refusal;
      reports.push({ name: rung.name, works: false, why: reason, ...message === reason ? {} : { message }, ...change && { change } });
    } else {
      const { form, warning } = trial;
      reports.push({ name: rung.name, works: true, why: form.describe(stateDir), ...warning && { change: warning } });
    }
  }
  return reports;
}
export {
  surveyRungs
};
