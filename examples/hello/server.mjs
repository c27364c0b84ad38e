// Serves site/ on $PORT, compressed where the client takes it; `--check` asks the running server whether it is well.

import { readdirSync, readFileSync } from "node:fs";
import { createServer, get } from "node:http";

const port = Number(process.env.PORT ?? 8080);
const types = { html: "text/html; charset=utf-8", css: "text/css; charset=utf-8" };

function serve() {
  const site = new URL("site/", import.meta.url);
  const files = new Map(readdirSync(site).map((name) => [name, readFileSync(new URL(name, site))]));
  const server = createServer((request, response) => {
    const name = request.url === "/" ? "index.html" : request.url.slice(1);
    const type = types[name.split(".").at(-1)];
    const packed = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "") ? files.get(`${name}.gz`) : undefined;
    const body = packed ?? files.get(name);
    if (type === undefined || body === undefined) return response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    response
      .writeHead(200, { "content-type": type, "content-length": body.length, ...(packed && { "content-encoding": "gzip" }) })
      .end(body);
  });
  process.once("SIGTERM", () => server.close(() => process.exit(0)));
  server.listen(port, () => console.log(`hello listens on port ${port} as user ${process.getuid()}`));
}

function check() {
  const request = get({ port, path: "/" }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1));
  request.once("error", () => process.exit(1));
}

if (process.argv.includes("--check")) check();
else serve();
