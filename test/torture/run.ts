// Kills builds at random in every sandbox, as often as one likes: `npm run torture`.

import { parseArgs } from "node:util";
import type { Rung } from "./place.ts";
import { rungs, torture } from "./torture.ts";

const usage = `npm run torture -- [OPTIONS]
  --count N      kills, over all sandboxes and victims (default 60)
  --seed N       repeats the moments of another run, as far as moments can be (default: a new one)
  --rungs A,B    sandboxes to build in (default ${rungs.join(",")})`;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    rungs: { type: "string", default: rungs.join(",") },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(usage);
else {
  const asked = values.rungs.split(",");
  const unknown = asked.find((name) => !rungs.some((rung) => rung === name));
  if (unknown !== undefined) throw new Error(`Cannot use --rungs ${JSON.stringify(unknown)}: there are ${rungs.join(", ")}`);
  console.log(`--seed ${values.seed}`);
  const chosen: readonly Rung[] = rungs.filter((rung) => asked.includes(rung));
  const rows = await torture({ count: Number(values.count), seed: Number(values.seed), rungs: chosen, say: (line) => console.log(line) });
  console.log("| sandbox | killed | kills | image all the same | processes left | state unswept | longest until all is gone | wrong |");
  console.log("|---|---|---|---|---|---|---|---|");
  for (const { rung, victim, kills, finished, leftovers, unswept, slowestMs, wrong } of rows)
    console.log(`| ${[rung, victim, kills, finished, leftovers, unswept, `${Math.round(slowestMs)} ms`, wrong.length].join(" | ")} |`);
  for (const line of rows.flatMap(({ wrong }) => wrong)) console.log(line);
  if (rows.some(({ wrong }) => wrong.length > 0)) process.exitCode = 1;
}
