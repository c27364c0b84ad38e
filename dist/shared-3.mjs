import {
  __commonJS
} from "./shared-1.mjs";

// builtin:node:events
var require_node_events = __commonJS({
  "builtin:node:events"(exports, module) {
    module.exports = process.getBuiltinModule("node:events");
  }
});

export {
  require_node_events
};
