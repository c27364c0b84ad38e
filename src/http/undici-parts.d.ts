// The types of undici's inner modules: the package declares those of its index alone.

declare module "undici/lib/api/api-connect.js" {
  const connect: unknown;
  export = connect;
}

declare module "undici/lib/api/api-request.js" {
  const request: unknown;
  export = request;
}

declare module "undici/lib/dispatcher/dispatcher.js" {
  import { Dispatcher } from "undici";

  export = Dispatcher;
}

declare module "undici/lib/dispatcher/pool.js" {
  import { Pool } from "undici";

  export = Pool;
}

declare module "undici/lib/dispatcher/proxy-agent.js" {
  import { ProxyAgent } from "undici";

  export = ProxyAgent;
}
