// Kills builds at random while they write to stores, as often as one likes: `npm run crash:cache`.

import { parseArgs } from "node:util";
import { crash } from "./crash.ts";

const usage = `npm run crash:cache -- [OPTIONS]
  --count N      kills, over all kinds of stores (default 200)
  --seed N       repeats the moments of another run, as far as moments can be (default: a new one)`;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(usage);
else {
  console.log(`--seed ${values.seed}`);
  const counts = await crash({ count: Number(values.count), seed: Number(values.seed), say: (line) => console.log(line) });
  const kills = counts.reduce((sum, one) => sum + one.kills, 0);
  console.log(`${kills} builds killed: every store was whole, and every build after them right`);
}
