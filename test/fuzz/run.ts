// Looks for texts that the Dockerfile language, ignore files or addresses of repositories cannot bear: `npm run fuzz`.

import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { showInput } from "./input.ts";

const usage = `npm run fuzz -- [OPTIONS]
  --seconds S    how long (default 20)
  --seed N       repeats the texts of another run (default: a new one)
  --target NAME  one target alone
What is found is printed, made small; it belongs into a test's rows.`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    target: { type: "string", default: "" },
    help: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const [seed, seconds] = [Number(values.seed), Number(values.seconds)];
  const targets = new URL("./targets.ts", import.meta.url).href;
  const { executions, failure } = await fuzz({ seed, seconds, targets, only: values.target, hangMs: 16_000, shrinkSeconds: 60 });
  console.log(`${executions} executions with --seed ${seed}`);
  if (failure === undefined) return 0;
  console.log(`${failure.input.target}: ${failure.kind}: ${failure.message}\nwith ${showInput(failure.input)}`);
  return 1;
}

process.exitCode = await main();
