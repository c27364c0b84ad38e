// A thread that hands on what connections carry, each way some milliseconds later, and notes requests and answers.

import { createServer, connect as open, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import type { Turn } from "./round-trips.ts";

/** So much may be under way on a connection, each way: a long line is not a slow one. */
const underWay = 32 << 20;

const { port, target, delayMs }: { port: number; target: number; delayMs: number } = workerData;
const turns: { start: number; end: number }[] = [];

const server = createServer({ noDelay: true }, (client) => {
  const upstream = open({ host: "127.0.0.1", port: target, noDelay: true });
  let turn: { start: number; end: number } | undefined;
  function beginTurn(): void {
    if (turn !== undefined && turn.end === 0) return;
    turn = { start: performance.now(), end: 0 };
    turns.push(turn);
  }
  function endTurn(): void {
    if (turn !== undefined) turn.end = performance.now();
  }
  carry(client, upstream, { onSeen: beginTurn, onCarried() {} });
  carry(upstream, client, { onSeen() {}, onCarried: endTurn });
});

/** Bytes and the end of `from`, to `to`. */
function carry(from: Socket, to: Socket, { onSeen, onCarried }: { onSeen(): void; onCarried(): void }): void {
  const queue: { readonly due: number; readonly bytes: Buffer | undefined }[] = [];
  let waiting = 0;
  let isBlocked = false;
  let timer: NodeJS.Timeout | undefined;
  function schedule(): void {
    const [next] = queue;
    if (next === undefined || isBlocked || timer !== undefined) return;
    timer = setTimeout(flush, Math.max(0, next.due - performance.now()));
  }
  function flush(): void {
    timer = undefined;
    for (;;) {
      const [next] = queue;
      if (next === undefined || isBlocked || next.due > performance.now()) break;
      queue.shift();
      if (next.bytes === undefined) {
        to.end();
        continue;
      }
      waiting -= next.bytes.length;
      isBlocked = !to.write(next.bytes);
      onCarried();
      if (waiting < underWay) from.resume();
    }
    schedule();
  }
  function add(bytes: Buffer | undefined): void {
    queue.push({ due: performance.now() + delayMs, bytes });
    schedule();
  }
  from.on("data", (bytes) => {
    onSeen();
    waiting += bytes.length;
    if (waiting >= underWay) from.pause();
    add(bytes);
  });
  from.on("end", () => add(undefined));
  from.on("error", () => to.destroy());
  from.on("close", () => {
    if (from.destroyed && !from.readableEnded) to.destroy();
  });
  to.on("drain", () => {
    isBlocked = false;
    flush();
  });
}

server.listen(port, "127.0.0.1", () => parentPort?.postMessage("listening"));
parentPort?.once("message", () => {
  const answered: Turn[] = turns.filter(({ end }) => end > 0);
  parentPort?.postMessage(answered);
});
