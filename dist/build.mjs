import {
  annotationsOfImage,
  annotationsOfIndex,
  dockerHub,
  formatPlatform,
  formatReference,
  hostPlatform,
  needsOciTypes,
  normalizeRegistry,
  parsePlatform,
  parseReference,
  platformDistance,
  repositoryName,
  withDefaultTag
} from "./shared-6.mjs";
import {
  require_dispatcher,
  require_errors,
  require_node_assert,
  require_node_stream,
  require_pool,
  require_util
} from "./shared-2.mjs";
import "./shared-3.mjs";
import {
  openAgent,
  readPrivateKey
} from "./shared-4.mjs";
import {
  DigestMismatchError,
  Draft,
  MalformedLayerError,
  MissingProgramError,
  alignHistory,
  annotate,
  announceItems,
  checkCompression,
  checkLevel,
  decodeIndex,
  decodeRunes,
  decompress,
  digestContent,
  digestOf,
  directoryAttributes,
  emptyTree,
  encodeImage,
  encodeIndex,
  encodeIndex2,
  encodeRelease,
  findOwner,
  findUser,
  indexLayer,
  isForeignLayer,
  isOwnerNumber,
  joinPath,
  layerDescriptor,
  makeDirectories,
  makeEntry,
  matchGlob,
  mediaTypes,
  nameOf,
  openBlobs,
  openHelper,
  openIndexWriter,
  openLayerFiles,
  packItems,
  parentOf,
  readCapabilities,
  readContents,
  readTar,
  recompressLayer,
  removeTree,
  resolvePath,
  runProgram,
  toBytes,
  toPath,
  toRaw,
  toText,
  usualPath,
  verifyBytes,
  writeLayer
} from "./shared-5.mjs";
import {
  hexOf,
  isDigest
} from "./shared-7.mjs";
import {
  __callDispose,
  __commonJS,
  __toESM,
  __using
} from "./shared-1.mjs";

// builtin:node:async_hooks
var require_node_async_hooks = __commonJS({
  "builtin:node:async_hooks"(exports, module) {
    module.exports = process.getBuiltinModule("node:async_hooks");
  }
});

// node_modules/undici/lib/api/abort-signal.js
var require_abort_signal = __commonJS({
  "node_modules/undici/lib/api/abort-signal.js"(exports, module) {
    "use strict";
    var { addAbortListener } = require_util();
    var { RequestAbortedError } = require_errors();
    var kListener = /* @__PURE__ */ Symbol("kListener");
    var kSignal = /* @__PURE__ */ Symbol("kSignal");
    function abort(self) {
      if (self.abort) {
        self.abort(self[kSignal]?.reason);
      } else {
        self.reason = self[kSignal]?.reason ?? new RequestAbortedError();
      }
      removeSignal(self);
    }
    function addSignal(self, signal) {
      self.reason = null;
      self[kSignal] = null;
      self[kListener] = null;
      if (!signal) {
        return;
      }
      if (signal.aborted) {
        abort(self);
        return;
      }
      self[kSignal] = signal;
      self[kListener] = () => {
        abort(self);
      };
      addAbortListener(self[kSignal], self[kListener]);
    }
    function removeSignal(self) {
      if (!self[kSignal]) {
        return;
      }
      if ("removeEventListener" in self[kSignal]) {
        self[kSignal].removeEventListener("abort", self[kListener]);
      } else {
        self[kSignal].removeListener("abort", self[kListener]);
      }
      self[kSignal] = null;
      self[kListener] = null;
    }
    module.exports = {
      addSignal,
      removeSignal
    };
  }
});

// node_modules/undici/lib/api/api-connect.js
var require_api_connect = __commonJS({
  "node_modules/undici/lib/api/api-connect.js"(exports, module) {
    "use strict";
    var assert = require_node_assert();
    var { AsyncResource } = require_node_async_hooks();
    var { InvalidArgumentError, SocketError } = require_errors();
    var util = require_util();
    var { addSignal, removeSignal } = require_abort_signal();
    var ConnectHandler = class extends AsyncResource {
      constructor(opts, callback) {
        if (!opts || typeof opts !== "object") {
          throw new InvalidArgumentError("invalid opts");
        }
        if (typeof callback !== "function") {
          throw new InvalidArgumentError("invalid callback");
        }
        const { signal, opaque, responseHeaders } = opts;
        if (signal && typeof signal.on !== "function" && typeof signal.addEventListener !== "function") {
          throw new InvalidArgumentError("signal must be an EventEmitter or EventTarget");
        }
        super("UNDICI_CONNECT");
        this.opaque = opaque || null;
        this.responseHeaders = responseHeaders || null;
        this.callback = callback;
        this.abort = null;
        addSignal(this, signal);
      }
      onConnect(abort, context) {
        if (this.reason) {
          abort(this.reason);
          return;
        }
        assert(this.callback);
        this.abort = abort;
        this.context = context;
      }
      onHeaders() {
        throw new SocketError("bad connect", null);
      }
      onUpgrade(statusCode, rawHeaders, socket) {
        const { callback, opaque, context } = this;
        removeSignal(this);
        this.callback = null;
        let headers = rawHeaders;
        if (headers != null) {
          headers = this.responseHeaders === "raw" ? util.parseRawHeaders(rawHeaders) : util.parseHeaders(rawHeaders);
        }
        this.runInAsyncScope(callback, null, null, {
          statusCode,
          headers,
          socket,
          opaque,
          context
        });
      }
      onError(err) {
        const { callback, opaque } = this;
        removeSignal(this);
        if (callback) {
          this.callback = null;
          queueMicrotask(() => {
            this.runInAsyncScope(callback, null, err, { opaque });
          });
        }
      }
    };
    function connect2(opts, callback) {
      if (callback === void 0) {
        return new Promise((resolve, reject) => {
          connect2.call(this, opts, (err, data) => {
            return err ? reject(err) : resolve(data);
          });
        });
      }
      try {
        const connectHandler = new ConnectHandler(opts, callback);
        const connectOptions = { ...opts, method: "CONNECT" };
        this.dispatch(connectOptions, connectHandler);
      } catch (err) {
        if (typeof callback !== "function") {
          throw err;
        }
        const opaque = opts?.opaque;
        queueMicrotask(() => callback(err, { opaque }));
      }
    }
    module.exports = connect2;
  }
});

// node_modules/undici/lib/api/readable.js
var require_readable = __commonJS({
  "node_modules/undici/lib/api/readable.js"(exports, module) {
    "use strict";
    var assert = require_node_assert();
    var { Readable } = require_node_stream();
    var { RequestAbortedError, NotSupportedError, InvalidArgumentError, AbortError } = require_errors();
    var util = require_util();
    var { ReadableStreamFrom } = require_util();
    var kConsume = /* @__PURE__ */ Symbol("kConsume");
    var kReading = /* @__PURE__ */ Symbol("kReading");
    var kBody = /* @__PURE__ */ Symbol("kBody");
    var kAbort = /* @__PURE__ */ Symbol("kAbort");
    var kContentType = /* @__PURE__ */ Symbol("kContentType");
    var kContentLength = /* @__PURE__ */ Symbol("kContentLength");
    var kUsed = /* @__PURE__ */ Symbol("kUsed");
    var kBytesRead = /* @__PURE__ */ Symbol("kBytesRead");
    var noop = () => {
    };
    var BodyReadable = class extends Readable {
      /**
       * @param {object} opts
       * @param {(this: Readable, size: number) => void} opts.resume
       * @param {() => (void | null)} opts.abort
       * @param {string} [opts.contentType = '']
       * @param {number} [opts.contentLength]
       * @param {number} [opts.highWaterMark = 64 * 1024]
       */
      constructor({
        resume: resume2,
        abort,
        contentType = "",
        contentLength,
        highWaterMark = 64 * 1024
        // Same as nodejs fs streams.
      }) {
        super({
          autoDestroy: true,
          read: resume2,
          highWaterMark
        });
        this._readableState.dataEmitted = false;
        this[kAbort] = abort;
        this[kConsume] = null;
        this[kBytesRead] = 0;
        this[kBody] = null;
        this[kUsed] = false;
        this[kContentType] = contentType;
        this[kContentLength] = Number.isFinite(contentLength) ? contentLength : null;
        this[kReading] = false;
      }
      /**
       * @param {Error|null} err
       * @param {(error:(Error|null)) => void} callback
       * @returns {void}
       */
      _destroy(err, callback) {
        if (!err && !this._readableState.endEmitted) {
          err = new RequestAbortedError();
        }
        if (err) {
          this[kAbort]();
        }
        if (!this[kUsed]) {
          setImmediate(callback, err);
        } else {
          callback(err);
        }
      }
      /**
       * @param {string|symbol} event
       * @param {(...args: any[]) => void} listener
       * @returns {this}
       */
      on(event, listener) {
        if (event === "data" || event === "readable") {
          this[kReading] = true;
          this[kUsed] = true;
        }
        return super.on(event, listener);
      }
      /**
       * @param {string|symbol} event
       * @param {(...args: any[]) => void} listener
       * @returns {this}
       */
      addListener(event, listener) {
        return this.on(event, listener);
      }
      /**
       * @param {string|symbol} event
       * @param {(...args: any[]) => void} listener
       * @returns {this}
       */
      off(event, listener) {
        const ret = super.off(event, listener);
        if (event === "data" || event === "readable") {
          this[kReading] = this.listenerCount("data") > 0 || this.listenerCount("readable") > 0;
        }
        return ret;
      }
      /**
       * @param {string|symbol} event
       * @param {(...args: any[]) => void} listener
       * @returns {this}
       */
      removeListener(event, listener) {
        return this.off(event, listener);
      }
      /**
       * @param {Buffer|null} chunk
       * @returns {boolean}
       */
      push(chunk) {
        if (chunk) {
          this[kBytesRead] += chunk.length;
          if (this[kConsume]) {
            consumePush(this[kConsume], chunk);
            return this[kReading] ? super.push(chunk) : true;
          }
        }
        return super.push(chunk);
      }
      /**
       * Consumes and returns the body as a string.
       *
       * @see https://fetch.spec.whatwg.org/#dom-body-text
       * @returns {Promise<string>}
       */
      text() {
        return consume(this, "text");
      }
      /**
       * Consumes and returns the body as a JavaScript Object.
       *
       * @see https://fetch.spec.whatwg.org/#dom-body-json
       * @returns {Promise<unknown>}
       */
      json() {
        return consume(this, "json");
      }
      /**
       * Consumes and returns the body as a Blob
       *
       * @see https://fetch.spec.whatwg.org/#dom-body-blob
       * @returns {Promise<Blob>}
       */
      blob() {
        return consume(this, "blob");
      }
      /**
       * Consumes and returns the body as an Uint8Array.
       *
       * @see https://fetch.spec.whatwg.org/#dom-body-bytes
       * @returns {Promise<Uint8Array>}
       */
      bytes() {
        return consume(this, "bytes");
      }
      /**
       * Consumes and returns the body as an ArrayBuffer.
       *
       * @see https://fetch.spec.whatwg.org/#dom-body-arraybuffer
       * @returns {Promise<ArrayBuffer>}
       */
      arrayBuffer() {
        return consume(this, "arrayBuffer");
      }
      /**
       * Not implemented
       *
       * @see https://fetch.spec.whatwg.org/#dom-body-formdata
       * @throws {NotSupportedError}
       */
      async formData() {
        throw new NotSupportedError();
      }
      /**
       * Returns true if the body is not null and the body has been consumed.
       * Otherwise, returns false.
       *
       * @see https://fetch.spec.whatwg.org/#dom-body-bodyused
       * @readonly
       * @returns {boolean}
       */
      get bodyUsed() {
        return util.isDisturbed(this);
      }
      /**
       * @see https://fetch.spec.whatwg.org/#dom-body-body
       * @readonly
       * @returns {ReadableStream}
       */
      get body() {
        if (!this[kBody]) {
          this[kBody] = ReadableStreamFrom(this);
          if (this[kConsume]) {
            this[kBody].getReader();
            assert(this[kBody].locked);
          }
        }
        return this[kBody];
      }
      /**
       * Dumps the response body by reading `limit` number of bytes.
       * @param {object} opts
       * @param {number} [opts.limit = 131072] Number of bytes to read.
       * @param {AbortSignal} [opts.signal] An AbortSignal to cancel the dump.
       * @returns {Promise<null>}
       */
      dump(opts) {
        const signal = opts?.signal;
        if (signal != null && (typeof signal !== "object" || !("aborted" in signal))) {
          return Promise.reject(new InvalidArgumentError("signal must be an AbortSignal"));
        }
        const limit = opts?.limit && Number.isFinite(opts.limit) ? opts.limit : 128 * 1024;
        if (signal?.aborted) {
          return Promise.reject(signal.reason ?? new AbortError());
        }
        if (this._readableState.closeEmitted) {
          return Promise.resolve(null);
        }
        return new Promise((resolve, reject) => {
          if (this[kContentLength] && this[kContentLength] > limit || this[kBytesRead] > limit) {
            this.destroy(new AbortError());
          }
          if (signal) {
            const onAbort = () => {
              this.destroy(signal.reason ?? new AbortError());
            };
            signal.addEventListener("abort", onAbort);
            this.on("close", function() {
              signal.removeEventListener("abort", onAbort);
              if (signal.aborted) {
                reject(signal.reason ?? new AbortError());
              } else {
                resolve(null);
              }
            });
          } else {
            this.on("close", resolve);
          }
          this.on("error", noop).on("data", () => {
            if (this[kBytesRead] > limit) {
              this.destroy();
            }
          }).resume();
        });
      }
      /**
       * @param {BufferEncoding} encoding
       * @returns {this}
       */
      setEncoding(encoding) {
        if (Buffer.isEncoding(encoding)) {
          this._readableState.encoding = encoding;
        }
        return this;
      }
    };
    function isLocked(bodyReadable) {
      return bodyReadable[kBody]?.locked === true || bodyReadable[kConsume] !== null;
    }
    function isUnusable(bodyReadable) {
      return util.isDisturbed(bodyReadable) || isLocked(bodyReadable);
    }
    function consume(stream, type) {
      assert(!stream[kConsume]);
      return new Promise((resolve, reject) => {
        if (isUnusable(stream)) {
          const rState = stream._readableState;
          if (rState.destroyed && rState.closeEmitted === false) {
            stream.on("error", reject).on("close", () => {
              reject(new TypeError("unusable"));
            });
          } else {
            reject(rState.errored ?? new TypeError("unusable"));
          }
        } else {
          queueMicrotask(() => {
            stream[kConsume] = {
              type,
              stream,
              resolve,
              reject,
              length: 0,
              body: []
            };
            stream.on("error", function(err) {
              consumeFinish(this[kConsume], err);
            }).on("close", function() {
              if (this[kConsume].body !== null) {
                consumeFinish(this[kConsume], new RequestAbortedError());
              }
            });
            consumeStart(stream[kConsume]);
          });
        }
      });
    }
    function consumeStart(consume2) {
      if (consume2.body === null) {
        return;
      }
      const { _readableState: state } = consume2.stream;
      if (state.bufferIndex) {
        const start = state.bufferIndex;
        const end = state.buffer.length;
        for (let n = start; n < end; n++) {
          consumePush(consume2, state.buffer[n]);
        }
      } else {
        for (const chunk of state.buffer) {
          consumePush(consume2, chunk);
        }
      }
      if (state.endEmitted) {
        consumeEnd(this[kConsume], this._readableState.encoding);
      } else {
        consume2.stream.on("end", function() {
          consumeEnd(this[kConsume], this._readableState.encoding);
        });
      }
      consume2.stream.resume();
      while (consume2.stream.read() != null) {
      }
    }
    function chunksDecode(chunks, length, encoding) {
      if (chunks.length === 0 || length === 0) {
        return "";
      }
      const buffer = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length);
      const bufferLength = buffer.length;
      const start = bufferLength > 2 && buffer[0] === 239 && buffer[1] === 187 && buffer[2] === 191 ? 3 : 0;
      if (!encoding || encoding === "utf8" || encoding === "utf-8") {
        return buffer.utf8Slice(start, bufferLength);
      } else {
        return buffer.subarray(start, bufferLength).toString(encoding);
      }
    }
    function chunksConcat(chunks, length) {
      if (chunks.length === 0 || length === 0) {
        return new Uint8Array(0);
      }
      if (chunks.length === 1) {
        return new Uint8Array(chunks[0]);
      }
      const buffer = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      let offset = 0;
      for (let i = 0; i < chunks.length; ++i) {
        const chunk = chunks[i];
        buffer.set(chunk, offset);
        offset += chunk.length;
      }
      return buffer;
    }
    function consumeEnd(consume2, encoding) {
      const { type, body, resolve, stream, length } = consume2;
      try {
        if (type === "text") {
          resolve(chunksDecode(body, length, encoding));
        } else if (type === "json") {
          resolve(JSON.parse(chunksDecode(body, length, encoding)));
        } else if (type === "arrayBuffer") {
          resolve(chunksConcat(body, length).buffer);
        } else if (type === "blob") {
          resolve(new Blob(body, { type: stream[kContentType] }));
        } else if (type === "bytes") {
          resolve(chunksConcat(body, length));
        }
        consumeFinish(consume2);
      } catch (err) {
        stream.destroy(err);
      }
    }
    function consumePush(consume2, chunk) {
      consume2.length += chunk.length;
      consume2.body.push(chunk);
    }
    function consumeFinish(consume2, err) {
      if (consume2.body === null) {
        return;
      }
      if (err) {
        consume2.reject(err);
      } else {
        consume2.resolve();
      }
      consume2.type = null;
      consume2.stream = null;
      consume2.resolve = null;
      consume2.reject = null;
      consume2.length = 0;
      consume2.body = null;
    }
    module.exports = {
      Readable: BodyReadable,
      chunksDecode
    };
  }
});

// node_modules/undici/lib/api/api-request.js
var require_api_request = __commonJS({
  "node_modules/undici/lib/api/api-request.js"(exports, module) {
    "use strict";
    var assert = require_node_assert();
    var { AsyncResource } = require_node_async_hooks();
    var { Readable } = require_readable();
    var { InvalidArgumentError, RequestAbortedError } = require_errors();
    var util = require_util();
    function noop() {
    }
    var RequestHandler = class extends AsyncResource {
      constructor(opts, callback) {
        if (!opts || typeof opts !== "object") {
          throw new InvalidArgumentError("invalid opts");
        }
        const { signal, method, opaque, body, onInfo, responseHeaders, highWaterMark } = opts;
        try {
          if (typeof callback !== "function") {
            throw new InvalidArgumentError("invalid callback");
          }
          if (highWaterMark != null && (!Number.isFinite(highWaterMark) || highWaterMark < 0)) {
            throw new InvalidArgumentError("invalid highWaterMark");
          }
          if (signal && typeof signal.on !== "function" && typeof signal.addEventListener !== "function") {
            throw new InvalidArgumentError("signal must be an EventEmitter or EventTarget");
          }
          if (method === "CONNECT") {
            throw new InvalidArgumentError("invalid method");
          }
          if (onInfo && typeof onInfo !== "function") {
            throw new InvalidArgumentError("invalid onInfo callback");
          }
          super("UNDICI_REQUEST");
        } catch (err) {
          if (util.isStream(body)) {
            util.destroy(body.on("error", noop), err);
          }
          throw err;
        }
        this.method = method;
        this.responseHeaders = responseHeaders || null;
        this.opaque = opaque || null;
        this.callback = callback;
        this.res = null;
        this.abort = null;
        this.body = body;
        this.trailers = {};
        this.context = null;
        this.onInfo = onInfo || null;
        this.highWaterMark = highWaterMark;
        this.reason = null;
        this.removeAbortListener = null;
        if (signal?.aborted) {
          this.reason = signal.reason ?? new RequestAbortedError();
        } else if (signal) {
          this.removeAbortListener = util.addAbortListener(signal, () => {
            this.reason = signal.reason ?? new RequestAbortedError();
            if (this.res) {
              util.destroy(this.res.on("error", noop), this.reason);
            } else if (this.abort) {
              this.abort(this.reason);
            }
          });
        }
      }
      onConnect(abort, context) {
        if (this.reason) {
          abort(this.reason);
          return;
        }
        assert(this.callback);
        this.abort = abort;
        this.context = context;
      }
      onHeaders(statusCode, rawHeaders, resume2, statusMessage) {
        const { callback, opaque, abort, context, responseHeaders, highWaterMark } = this;
        const headers = responseHeaders === "raw" ? util.parseRawHeaders(rawHeaders) : util.parseHeaders(rawHeaders);
        if (statusCode < 200) {
          if (this.onInfo) {
            this.onInfo({ statusCode, headers });
          }
          return;
        }
        const parsedHeaders = responseHeaders === "raw" ? util.parseHeaders(rawHeaders) : headers;
        const contentType = parsedHeaders["content-type"];
        const contentLength = parsedHeaders["content-length"];
        const res = new Readable({
          resume: resume2,
          abort,
          contentType,
          contentLength: this.method !== "HEAD" && contentLength ? Number(contentLength) : null,
          highWaterMark
        });
        if (this.removeAbortListener) {
          res.on("close", this.removeAbortListener);
          this.removeAbortListener = null;
        }
        this.callback = null;
        this.res = res;
        if (callback !== null) {
          try {
            this.runInAsyncScope(callback, null, null, {
              statusCode,
              statusText: statusMessage,
              headers,
              trailers: this.trailers,
              opaque,
              body: res,
              context
            });
          } catch (err) {
            this.res = null;
            util.destroy(res.on("error", noop), err);
            queueMicrotask(() => {
              throw err;
            });
          }
        }
      }
      onData(chunk) {
        return this.res.push(chunk);
      }
      onComplete(trailers) {
        util.parseHeaders(trailers, this.trailers);
        this.res.push(null);
      }
      onError(err) {
        const { res, callback, body, opaque } = this;
        if (callback) {
          this.callback = null;
          queueMicrotask(() => {
            this.runInAsyncScope(callback, null, err, { opaque });
          });
        }
        if (res) {
          this.res = null;
          queueMicrotask(() => {
            util.destroy(res.on("error", noop), err);
          });
        }
        if (body) {
          this.body = null;
          if (util.isStream(body)) {
            body.on("error", noop);
            util.destroy(body, err);
          }
        }
        if (this.removeAbortListener) {
          this.removeAbortListener();
          this.removeAbortListener = null;
        }
      }
    };
    function request2(opts, callback) {
      if (callback === void 0) {
        return new Promise((resolve, reject) => {
          request2.call(this, opts, (err, data) => {
            return err ? reject(err) : resolve(data);
          });
        });
      }
      try {
        const handler = new RequestHandler(opts, callback);
        this.dispatch(opts, handler);
      } catch (err) {
        if (typeof callback !== "function") {
          throw err;
        }
        const opaque = opts?.opaque;
        queueMicrotask(() => callback(err, { opaque }));
      }
    }
    module.exports = request2;
    module.exports.RequestHandler = RequestHandler;
  }
});

// src/http/redact.ts
function redactUrl(url2) {
  if (!URL.canParse(url2)) return url2.replace(/\/\/[^/@\s]*@/, "//").replace(/\?.*$/s, "?\u2026");
  const parsed = new URL(url2);
  const names2 = [...new Set(parsed.searchParams.keys())];
  const query = names2.length === 0 ? "" : `?${names2.map((name) => `${name}=\u2026`).join("&")}`;
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}${query}`;
}
function redactText(text) {
  return text.replace(/https?:\/\/[^\s"'<>]+/gi, (url2) => redactUrl(url2)).replace(/\b(git:\/\/)[^/@\s"'<>]*@/gi, "$1").replace(/\b(ssh:\/\/[^/:@\s"'<>]*):[^/@\s"'<>]*@/gi, "$1@").replace(/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, "$1 \u2026").replace(/("(?:token|access_token|refresh_token|identitytoken|password|secret)"\s*:\s*)"[^"]*"/gi, '$1"\u2026"');
}

// src/http/error.ts
var HttpError = class extends Error {
  name = "HttpError";
  failure;
  url;
  constructor(failure3, url2, text, cause) {
    super(text, cause === void 0 ? void 0 : { cause });
    this.failure = failure3;
    this.url = redactUrl(url2);
  }
  /** Whether the same request may well succeed a moment later. */
  get isTransient() {
    return this.failure === "timeout" || this.failure === "cut";
  }
};
var failures = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "unresolved",
  EAI_AGAIN: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EACCES: "unreachable",
  UND_ERR_CONNECT_TIMEOUT: "unreachable",
  ETIMEDOUT: "timeout",
  UND_ERR_HEADERS_TIMEOUT: "timeout",
  UND_ERR_BODY_TIMEOUT: "timeout",
  ECONNRESET: "cut",
  ECONNABORTED: "cut",
  EPIPE: "cut",
  UND_ERR_SOCKET: "cut",
  UND_ERR_ABORTED: "cut",
  UND_ERR_INFO: "cut",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "cut",
  UND_ERR_PRX_TLS: "tls",
  EPROTO: "tls"
};
var descriptions = {
  refused: "the connection was refused",
  unresolved: "the host name has no address",
  unreachable: "no connection could be made",
  tls: "TLS failed",
  timeout: "it did not answer in time",
  cut: "the connection was cut",
  proxy: "the proxy refused",
  protocol: "the answer is no HTTP",
  redirect: "the redirect leads nowhere",
  "too-large": "the answer is too large"
};
function httpError(method, url2, cause) {
  if (cause instanceof HttpError) return cause;
  const failure3 = classify(cause);
  const detail = failure3 === "tls" || failure3 === "proxy" || failure3 === "protocol" ? ` (${messageOf(cause)})` : "";
  return new HttpError(failure3, url2, `Cannot ${method} "${redactUrl(url2)}": ${descriptions[failure3]}${detail}`, cause);
}
function classify(error) {
  const code = String(error.code ?? "");
  const text = messageOf(error);
  if (/^Proxy response|Proxy Authentication/.test(text)) return "proxy";
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || /CERT|UNABLE_TO_|HOSTNAME_MISMATCH/.test(code)) return "tls";
  if (/before secure TLS connection/.test(text)) return "tls";
  if (code.startsWith("HPE_")) return "protocol";
  return failures[code] ?? (/timed? ?out/i.test(text) ? "timeout" : "cut");
}
function messageOf(error) {
  return error instanceof Error ? error.message.replace(/\s+/g, " ").trim() : String(error);
}

// src/http/proxy.ts
var { BlockList, isIP } = process.getBuiltinModule("node:net");
function proxyFor(target, proxies) {
  const given2 = target.protocol === "https:" ? proxies.https : proxies.http;
  if (!given2 || isLoopback(hostOf(target)) || isExcepted(target, proxies.noProxy ?? "")) return void 0;
  const text = /^[a-z0-9+.-]+:\/\//i.test(given2) ? given2 : `http://${given2}`;
  if (!URL.canParse(text)) throw new SyntaxError("Cannot use the proxy of the environment: its value is no URL");
  const proxy = new URL(text);
  if (proxy.protocol === "http:" || proxy.protocol === "https:") return proxy;
  throw new SyntaxError(`Cannot use the proxy "${proxy.protocol}//${proxy.host}": only http:// and https:// proxies are supported`);
}
function isExcepted(target, noProxy) {
  const host = hostOf(target);
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  return noProxy.split(",").map((rule) => rule.trim().toLowerCase()).some((rule) => rule !== "" && matchesRule(rule, host, port));
}
function matchesRule(rule, host, port) {
  if (rule === "*") return true;
  if (rule.includes("/")) return isInBlock(rule, host);
  const [name, rulePort] = splitPort(rule);
  if (rulePort !== void 0 && rulePort !== port) return false;
  if (isIP(name) !== 0 || isIP(host) !== 0) return name === host;
  const suffix = name.replace(/^\*(?=\.)/, "");
  return suffix.startsWith(".") ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}
function splitPort(rule) {
  const [, name, port] = /^(?:\[([0-9a-f:.]+)\]|[^:]*)(?::(\d+))?$/.exec(rule) ?? [];
  if (name !== void 0) return [name, port];
  if (isIP(rule) === 6) return [rule, void 0];
  const colon = rule.lastIndexOf(":");
  return colon < 0 ? [rule, void 0] : [rule.slice(0, colon), rule.slice(colon + 1)];
}
function isInBlock(rule, host) {
  const [network = "", bits2 = ""] = rule.split("/");
  const family = isIP(host);
  const limit = family === 6 ? 128 : 32;
  if (family === 0 || isIP(network) !== family || !/^\d+$/.test(bits2) || Number(bits2) > limit) return false;
  const name = family === 6 ? "ipv6" : "ipv4";
  const block = new BlockList();
  block.addSubnet(network, Number(bits2), name);
  return block.check(host, name);
}
function isLoopback(host) {
  return host === "localhost" || host === "::1" || isIP(host) === 4 && host.startsWith("127.");
}
function hostOf(target) {
  return target.hostname.toLowerCase().replace(/^\[|\]$/g, "");
}

// src/http/roots.ts
var { readdir, readFile } = process.getBuiltinModule("node:fs/promises");
var { join } = process.getBuiltinModule("node:path");
var { createSecureContext, rootCertificates } = process.getBuiltinModule("node:tls");
var usualBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem"
];
async function readRoots(roots) {
  const bundles = roots.files.length > 0 ? Promise.all(roots.files.map(readOptional)) : readUsualBundle();
  const directories = Promise.all(roots.directories.map(readDirectory));
  const found = [...await bundles, ...await directories].flat();
  return found.length > 0 ? found : rootCertificates;
}
async function readUsualBundle() {
  for (const path14 of usualBundles) {
    const bundle = await readOptional(path14);
    if (bundle.length > 0) return [bundle];
  }
  return [];
}
var contexts = /* @__PURE__ */ new WeakMap();
function openContext(roots, tls) {
  const known = contexts.get(roots) ?? /* @__PURE__ */ new Map();
  contexts.set(roots, known);
  const key = JSON.stringify(tls);
  const context = known.get(key) ?? makeContext(roots, tls);
  known.set(key, context);
  context.catch(() => known.delete(key));
  return context;
}
async function makeContext(roots, tls) {
  const own2 = await Promise.all((tls.authorities ?? []).map((path14) => readPem(path14, "registry certificate")));
  const client = tls.client && {
    cert: await readPem(tls.client.certificate, "client certificate"),
    key: await readPem(tls.client.key, "client key")
  };
  const ca = tls.skipVerify ? own2 : [...await readRoots(roots), ...own2];
  return createSecureContext({ ...ca.length > 0 ? { ca } : {}, ...client });
}
async function readPem(path14, what) {
  const bytes = await readFile(path14).catch((cause) => {
    throw new Error(`Cannot read ${what} "${path14}": ${cause.message}`, { cause });
  });
  if (!bytes.includes("-----BEGIN ")) throw new SyntaxError(`Cannot read ${what} "${path14}": it is not in PEM form`);
  return bytes;
}
async function readOptional(path14) {
  return readFile(path14).then(
    (bytes) => [bytes],
    () => []
  );
}
async function readDirectory(path14) {
  const names2 = await readdir(path14).catch(() => []);
  const files = await Promise.all(names2.sort().map((name) => readOptional(join(path14, name))));
  return files.flat().filter((bytes) => bytes.includes("-----BEGIN CERTIFICATE-----"));
}

// src/http/undici.ts
var import_api_connect = __toESM(require_api_connect(), 1);
var import_api_request = __toESM(require_api_request(), 1);
var import_dispatcher = __toESM(require_dispatcher(), 1);
var import_pool = __toESM(require_pool(), 1);
Object.assign(import_dispatcher.default.prototype, { connect: import_api_connect.default, request: import_api_request.default });
async function loadProxyAgent() {
  return (await import("./undici.mjs")).default;
}

// src/http/origins.ts
function openOrigins(options2) {
  const pools = /* @__PURE__ */ new Map();
  const { connectMs, headersMs, stallMs } = options2.timeouts;
  let isClosed = false;
  async function tlsOf2(url2) {
    if (url2.protocol !== "https:") return { timeout: connectMs };
    const tls = options2.tlsFor?.(url2.host) ?? {};
    return { timeout: connectMs, secureContext: await openContext(options2.roots, tls), rejectUnauthorized: tls.skipVerify !== true };
  }
  async function open5(url2) {
    const shared2 = { connections: options2.connectionsPerHost, pipelining: 1, headersTimeout: headersMs, bodyTimeout: stallMs };
    const proxy = proxyFor(url2, options2.proxies);
    if (proxy === void 0) return new import_pool.default(url2.origin, { ...shared2, connect: await tlsOf2(url2) });
    const { username, password } = proxy;
    const ProxyAgent = await loadProxyAgent();
    const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
    return new ProxyAgent({
      ...shared2,
      uri: proxy.origin,
      ...username === "" ? {} : { token: `Basic ${credentials}` },
      // A proxy forwards plain HTTP itself; many refuse to CONNECT to any port but 443.
      proxyTunnel: url2.protocol === "https:",
      requestTls: await tlsOf2(url2),
      proxyTls: await tlsOf2(proxy)
    });
  }
  return {
    async of(url2) {
      if (isClosed) throw new Error(`Cannot ask "${url2.origin}": the HTTP client is closed`);
      const known = pools.get(url2.origin);
      if (known !== void 0) return known;
      const pool = open5(url2);
      pools.set(url2.origin, pool);
      return pool;
    },
    async close() {
      isClosed = true;
      const opened = await Promise.allSettled(pools.values());
      pools.clear();
      await Promise.all(opened.map((pool) => pool.status === "fulfilled" ? pool.value.destroy() : void 0));
    }
  };
}

// src/http/redirect.ts
function isRedirect(status) {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}
function followRedirect(from, status, location) {
  const url2 = URL.canParse(location, from.url.href) ? new URL(location, from.url) : void 0;
  if (url2 === void 0 || url2.protocol !== "https:" && url2.protocol !== "http:") {
    const text = `Cannot ${from.method} "${redactUrl(from.url.href)}": it redirects to what is no web address`;
    throw new HttpError("redirect", from.url.href, text);
  }
  const sameHost = url2.host === from.url.host && (url2.protocol === from.url.protocol || url2.protocol === "https:");
  const headers = Object.entries(from.request.headers ?? {}).filter(([name]) => sameHost || !/^(authorization|cookie)$/i.test(name));
  const becomesGet = status === 303 && from.method !== "HEAD" || (status === 301 || status === 302) && from.method === "POST";
  if (!becomesGet) return { ...from, url: url2, request: { ...from.request, headers: Object.fromEntries(headers) } };
  const { body: _, ...request2 } = from.request;
  const kept = headers.filter(([name]) => !/^content-/i.test(name));
  return { method: "GET", url: url2, request: { ...request2, headers: Object.fromEntries(kept) } };
}

// src/http/retry.ts
var { setMaxListeners } = process.getBuiltinModule("node:events");
var defaultBackOff = { tries: 5, firstMs: 500, mostMs: 3e4 };
var patienceMs = 12e4;
function isTransientStatus(status) {
  return status === 408 || status === 429 || status === 499 || status >= 500 && status !== 501 && status !== 505;
}
function waitBefore(next, backOff, retryAfter, now = Date.now()) {
  const asked = parseRetryAfter(retryAfter, now);
  if (asked !== void 0 && asked > patienceMs) return void 0;
  const full = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (next - 2));
  return Math.max(asked ?? 0, full / 2 + Math.random() * full / 2);
}
function parseRetryAfter(value, now) {
  if (value === void 0) return void 0;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1e3;
  const date = Date.parse(value);
  return Number.isNaN(date) ? void 0 : Math.max(0, date - now);
}
function expectListeners(signal) {
  if (signal !== void 0) setMaxListeners(0, signal);
}
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    expectListeners(signal);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

// src/http/send.ts
var drainBytes = 64 * 1024;
async function sendOnce(dispatcher, method, url2, { headers, body, signal }, { userAgent, stallMs, headersMs, storeMs }) {
  const stop = new AbortController();
  const stream = body !== void 0 && "open" in body ? watchStalls(body.open(), stop, stallMs, method, url2) : body;
  const length = body === void 0 ? void 0 : "open" in body ? body.size : body.byteLength;
  const forward = () => stop.abort(signal?.reason);
  const forget = () => signal?.removeEventListener("abort", forward);
  expectListeners(signal);
  signal?.addEventListener("abort", forward, { once: true });
  try {
    const answer = await dispatcher.request({
      origin: url2.origin,
      path: `${url2.pathname}${url2.search}`,
      method,
      headers: {
        "user-agent": userAgent,
        // A proxy or a CDN that compresses would change the bytes that digests and ranges speak of.
        "accept-encoding": "identity",
        ...headers,
        ...length === void 0 ? {} : { "content-length": String(length) }
      },
      // Undici takes async iterables, though its types do not say so.
      body: stream ?? null,
      signal: stop.signal,
      headersTimeout: stream === void 0 || stream === body ? headersMs : storeMs
    });
    answer.body.once("close", forget);
    return responseOf(answer, method, url2, signal);
  } catch (cause) {
    forget();
    signal?.throwIfAborted();
    throw stop.signal.aborted ? stop.signal.reason : httpError(method, url2.href, cause);
  }
}
async function* watchStalls(source, stop, stallMs, method, url2) {
  let timer;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const text = `Cannot ${method} "${redactUrl(url2.href)}": it took no further bytes for ${stallMs / 1e3} s`;
      stop.abort(new HttpError("timeout", url2.href, text));
    }, stallMs);
  };
  try {
    for await (const chunk of source) {
      watch();
      yield chunk;
      clearTimeout(timer);
    }
  } catch (error) {
    if (!stop.signal.aborted) stop.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
function responseOf(answer, method, url2, signal) {
  const all = (name) => {
    const value = answer.headers[name.toLowerCase()];
    return value === void 0 ? [] : typeof value === "string" ? [value] : value;
  };
  answer.body.on("error", () => {
  });
  async function* read() {
    try {
      for await (const chunk of answer.body) yield chunk;
    } catch (cause) {
      signal?.throwIfAborted();
      throw httpError(method, url2.href, cause);
    }
  }
  return {
    status: answer.statusCode,
    url: url2.href,
    header: (name) => all(name).length === 0 ? void 0 : all(name).join(", "),
    headers: all,
    body: { [Symbol.asyncIterator]: read },
    async bytes(limit) {
      const tooLarge = () => new HttpError("too-large", url2.href, `Cannot ${method} "${redactUrl(url2.href)}": the answer is larger than ${limit} bytes`);
      const chunks = [];
      let size = 0;
      if (Number(all("content-length")[0] ?? 0) > limit && method !== "HEAD") {
        answer.body.destroy();
        throw tooLarge();
      }
      for await (const chunk of read()) {
        size += chunk.byteLength;
        if (size > limit) throw tooLarge();
        chunks.push(chunk);
      }
      return Buffer.concat(chunks, size);
    },
    async discard() {
      await answer.body.dump({ limit: drainBytes }).catch(() => {
      });
    }
  };
}

// src/http/share.ts
function openShared() {
  const entries = /* @__PURE__ */ new Map();
  function start(key, work) {
    const stop = new AbortController();
    const entry = { result: work(stop.signal), stop, waiting: 0 };
    entries.set(key, entry);
    entry.result.catch(() => entries.get(key) === entry && entries.delete(key));
    return entry;
  }
  return {
    async get(key, work, signal) {
      signal?.throwIfAborted();
      const entry = entries.get(key) ?? start(key, work);
      entry.waiting += 1;
      try {
        return await orAbort(entry.result, signal);
      } finally {
        entry.waiting -= 1;
        if (entry.waiting === 0 && signal?.aborted) {
          if (entries.get(key) === entry) entries.delete(key);
          entry.stop.abort(signal.reason);
        }
      }
    }
  };
}
function orAbort(promise, signal) {
  if (signal === void 0) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    expectListeners(signal);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

// src/http/http.ts
var defaultTimeouts = { connectMs: 15e3, headersMs: 6e4, storeMs: 3e5, stallMs: 6e4 };
function openHttp(options2) {
  const timeouts = { ...defaultTimeouts, ...options2.timeouts };
  const backOff = { ...defaultBackOff, ...options2.backOff };
  const origins = openOrigins({ ...options2, timeouts, connectionsPerHost: options2.connectionsPerHost ?? 24 });
  async function sendPatiently(method, url2, request2) {
    const tries2 = request2.tries ?? (method === "PATCH" ? 1 : backOff.tries);
    for (let turn = 1; ; turn++) {
      let waitMs;
      try {
        const response = await sendOnce(await origins.of(url2), method, url2, request2, { userAgent: options2.userAgent, ...timeouts });
        if (turn >= tries2 || !isTransientStatus(response.status)) return response;
        waitMs = waitBefore(turn + 1, backOff, response.header("retry-after"));
        if (waitMs === void 0) return response;
        await response.discard();
      } catch (error) {
        if (turn >= tries2 || !(error instanceof HttpError) || !error.isTransient) throw error;
        waitMs = waitBefore(turn + 1, backOff) ?? 0;
      }
      await pause(waitMs, request2.signal);
    }
  }
  return {
    async request(method, url2, request2 = {}) {
      let hop = { method, url: new URL(url2), request: request2 };
      for (let left = request2.redirects ?? 5; ; left--) {
        request2.signal?.throwIfAborted();
        const response = await sendPatiently(hop.method, hop.url, hop.request);
        const location = isRedirect(response.status) ? response.header("location") : void 0;
        if (location === void 0 || request2.redirects === 0) return response;
        await response.discard();
        if (left === 0) throw new HttpError("redirect", url2, `Cannot ${method} "${redactUrl(url2)}": it redirects too often`);
        hop = followRedirect(hop, response.status, location);
      }
    },
    close: () => origins.close()
  };
}

// src/context/shown.ts
function hideIgnored(view, patterns) {
  const directories = /* @__PURE__ */ new Map([["", { ignore: void 0 }]]);
  const lstat4 = (path14) => {
    if (!isVisible(path14)) return void 0;
    const node = view.lstat(path14);
    if (node === void 0 && wasListed(path14)) throw failure(path14, "it disappeared while the build was using it");
    return node;
  };
  function list(path14) {
    const directory = findDirectory3(path14);
    if (directory === void 0) return [];
    directory.names ??= view.list(path14).filter((name) => isShown(joinPath(path14, name), directory));
    return directory.names;
  }
  function content(path14, known) {
    if (!isVisible(path14)) throw failure(path14, "it is not there");
    try {
      return view.content(path14, known);
    } catch (error) {
      lstat4(path14);
      throw error;
    }
  }
  function isVisible(path14) {
    if (path14 === "") return true;
    const parent = findDirectory3(parentOf(path14));
    return parent !== void 0 && (parent.names === void 0 ? isShown(path14, parent) : isListed(parent.names, nameOf(path14)));
  }
  function wasListed(path14) {
    return directories.get(parentOf(path14))?.names !== void 0;
  }
  function isShown(path14, parent) {
    if (!patterns.match(path14, parent.ignore).isIgnored) return true;
    return patterns.mayReincludeBelow(path14) && list(path14).length > 0;
  }
  function findDirectory3(path14) {
    if (directories.has(path14)) return directories.get(path14);
    const parent = findDirectory3(parentOf(path14));
    const ignore = parent === void 0 ? void 0 : patterns.match(path14, parent.ignore);
    const isOpen = ignore !== void 0 && (!ignore.isIgnored || patterns.mayReincludeBelow(path14));
    const directory = isOpen && view.lstat(path14)?.attributes.type === "directory" ? { ignore } : void 0;
    directories.set(path14, directory);
    return directory;
  }
  function resultOf(path14) {
    const parent = parentOf(path14);
    return patterns.match(path14, parent === "" ? void 0 : resultOf(parent));
  }
  return { lstat: lstat4, list, content, isIgnored: (path14) => path14 !== "" && resultOf(path14).isIgnored };
}
function viewBelow(view, base) {
  if (base === "") return view;
  return {
    lstat: (path14) => view.lstat(joinPath(base, path14)),
    list: (path14) => view.list(joinPath(base, path14)),
    content: (path14) => view.content(joinPath(base, path14))
  };
}
function failure(path14, state, cause) {
  return new Error(`Cannot use "${toText(path14) || "."}" of the context: ${state}`, { cause });
}
function isListed(sorted, name) {
  let from = 0;
  for (let to = sorted.length; from < to; ) {
    const middle = from + to >> 1;
    if ((sorted[middle] ?? "") < name) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === name;
}

// src/context/directory.ts
var { lstatSync, readdirSync, readlinkSync } = process.getBuiltinModule("node:fs");
function openDirectory(root, patterns) {
  return hideIgnored(readDirectory2(root), patterns);
}
function readDirectory2(root) {
  const rawRoot = root === "/" ? "" : toRaw(root);
  const inodes = /* @__PURE__ */ new Map();
  function lstat4(path14) {
    const stats = statPath(path14);
    return stats === void 0 ? void 0 : { attributes: readAttributes(path14, stats), inode: inodeOf(stats) };
  }
  function content(path14, known) {
    if (known?.type === "file" && known.size > 0) return { kind: "file", path: absolute(path14), offset: 0, size: known.size };
    const stats = statPath(path14);
    if (stats?.isSocket()) return { kind: "bytes", bytes: new Uint8Array() };
    if (!stats?.isFile()) throw failure(path14, stats === void 0 ? "it is not there" : "it is no regular file");
    return { kind: "file", path: absolute(path14), offset: 0, size: Number(stats.size) };
  }
  function statPath(path14) {
    try {
      return lstatSync(toPath(absolute(path14)), { bigint: true, throwIfNoEntry: false });
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOTDIR") return void 0;
      throw failure(path14, "its attributes cannot be read", cause);
    }
  }
  function list(path14) {
    try {
      return readdirSync(toPath(absolute(path14)), { encoding: "latin1" }).sort();
    } catch (cause) {
      throw failure(path14, "the directory cannot be read", cause);
    }
  }
  function readAttributes(path14, stats) {
    const type = typeOf(stats);
    const isDevice = type === "char" || type === "block";
    return {
      type,
      mode: Number(stats.mode & 0o7777n),
      uid: 0,
      gid: 0,
      mtime: floorSeconds(stats.mtimeNs),
      mtimeNs: 0,
      size: stats.isFile() ? Number(stats.size) : 0,
      link: type === "symlink" ? readLink(path14) : "",
      devMajor: isDevice ? majorOf(stats.rdev) : 0,
      devMinor: isDevice ? minorOf(stats.rdev) : 0
    };
  }
  function readLink(path14) {
    try {
      return readlinkSync(toPath(absolute(path14)), { encoding: "latin1" });
    } catch (cause) {
      throw failure(path14, "the link cannot be read", cause);
    }
  }
  function inodeOf(stats) {
    if (stats.nlink < 2n || stats.isDirectory()) return void 0;
    const key = `${stats.dev}:${stats.ino}`;
    const inode = inodes.get(key) ?? {};
    inodes.set(key, inode);
    return inode;
  }
  function absolute(path14) {
    return path14 === "" ? rawRoot || "/" : `${rawRoot}/${path14}`;
  }
  return { lstat: lstat4, list, content };
}
function typeOf(stats) {
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "char";
  if (stats.isBlockDevice()) return "block";
  return stats.isFIFO() ? "fifo" : "file";
}
function floorSeconds(nanoseconds2) {
  const billion = 1000000000n;
  return Number(nanoseconds2 >= 0n ? nanoseconds2 / billion : (nanoseconds2 - billion + 1n) / billion);
}
function majorOf(device) {
  return Number(device >> 8n & 0xfffn | device >> 32n & 0xfffff000n);
}
function minorOf(device) {
  return Number(device & 0xffn | device >> 12n & 0xffffff00n);
}

// src/context/dockerfile.ts
var path = process.getBuiltinModule("node:path");
var maxBytes = 16 * 1024 * 1024;
async function findDockerfile(name, shelves) {
  const fail3 = (why, cause) => new Error(`Cannot read Dockerfile "${name}": ${why}`, { cause });
  if (name === "") throw fail3("its name is empty");
  const lowerCase = path.basename(name) === "Dockerfile" ? [path.join(path.dirname(name), "dockerfile")] : [];
  for (const spelling of [name, ...lowerCase])
    for (const shelf of shelves) {
      const place = shelf(spelling);
      try {
        const found = await place.look();
        if (found === void 0) continue;
        if (found.type === "directory") throw fail3(`${place.shown} is a directory`);
        if (found.size > maxBytes) throw fail3(`${place.shown} has ${found.size} bytes; ${maxBytes} are the limit`);
        const text = (await found.read()).toString("utf8");
        return { dockerfile: { path: place.path, text }, beside: shelf(`${spelling}.dockerignore`) };
      } catch (cause) {
        throw cause instanceof Error && "code" in cause ? fail3(`${place.shown} cannot be read`, cause) : cause;
      }
    }
  const tried = [...new Set(shelves.map((shelf) => shelf(name).shown))].join(" and ");
  throw fail3(`there is no file ${tried}; please provide a valid path to a Dockerfile within the build context with --dockerfile`);
}

// src/context/secret.ts
function readSecret(secrets, id) {
  const bytes = secrets.get(id);
  return bytes && Buffer.from(bytes).toString("utf8").trim();
}

// src/context/download.ts
var { createHash, randomUUID } = process.getBuiltinModule("node:crypto");
var { createWriteStream } = process.getBuiltinModule("node:fs");
var { mkdir } = process.getBuiltinModule("node:fs/promises");
var { join: join2 } = process.getBuiltinModule("node:path");
var { pipeline } = process.getBuiltinModule("node:stream/promises");
var { createGunzip } = process.getBuiltinModule("node:zlib");
var maxBytes2 = 64 * 2 ** 30;
var redirects = 10;
async function beginDownload(url2, checksum, tools) {
  const first = await ask(url2, tools);
  const finished = receive(url2, first, tools).then((download) => {
    const { digest } = download;
    if (checksum === void 0 || digest === checksum) return download;
    throw new Error(`Cannot download "${redactText(url2)}": digest mismatch: it has ${digest}, and --checksum asks for ${checksum}`);
  });
  finished.catch(() => {
  });
  return { finished };
}
async function ask(text, { http, secrets, signal }) {
  const authorization = authorizationFor(new URL(text), secrets);
  const headers = authorization === void 0 ? {} : { authorization };
  const response = await http.request("GET", text, { headers, redirects, signal });
  if (response.status >= 200 && response.status < 300) return response;
  await response.discard();
  throw new Error(`Cannot download "${redactText(text)}": invalid response status ${response.status}`);
}
function authorizationFor({ hostname, username, password }, secrets) {
  const token2 = readSecret(secrets, `HTTP_AUTH_TOKEN_${hostname}`);
  if (token2 !== void 0) return `Bearer ${token2}`;
  const header = readSecret(secrets, `HTTP_AUTH_HEADER_${hostname}`);
  if (header !== void 0 || username === "" && password === "") return header;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64")}`;
}
async function receive(url2, first, tools) {
  for (let [turn, response] = [1, first]; ; turn++) {
    try {
      return await store(url2, response, tools);
    } catch (error) {
      if (turn === defaultBackOff.tries || !(error instanceof HttpError) || !error.isTransient) throw error;
      await pause(waitBefore(turn + 1, defaultBackOff) ?? 0, tools.signal);
      response = await ask(url2, tools);
    }
  }
}
async function store(url2, response, { directory, signal }) {
  await mkdir(directory, { recursive: true, mode: 448 });
  const path14 = join2(directory, randomUUID());
  const hash = createHash("sha256");
  let size = 0;
  async function* measure(bytes) {
    for await (const chunk of bytes) {
      hash.update(chunk);
      size += chunk.length;
      if (size > maxBytes2) throw new Error(`Cannot download "${redactText(url2)}": it has more than ${maxBytes2} bytes`);
      yield chunk;
    }
  }
  const file = createWriteStream(path14, { flags: "wx", mode: 384 });
  const isWrapped = response.header("content-encoding")?.toLowerCase() === "gzip";
  if (isWrapped) await pipeline(response.body, createGunzip(), measure, file, { signal });
  else await pipeline(response.body, measure, file, { signal });
  const modified = Date.parse(response.header("last-modified") ?? "");
  return { path: path14, size, mtime: Number.isNaN(modified) ? 0 : Math.floor(modified / 1e3), digest: `sha256:${hash.digest("hex")}` };
}

// src/context/archive.ts
var { randomUUID: randomUUID2 } = process.getBuiltinModule("node:crypto");
var { createReadStream } = process.getBuiltinModule("node:fs");
var { mkdir: mkdir2, open } = process.getBuiltinModule("node:fs/promises");
var { join: join3 } = process.getBuiltinModule("node:path");
var magics = [
  ["gzip", [31, 139, 8]],
  ["bzip2", [66, 90, 104]],
  ["xz", [253, 55, 122, 88, 90, 0]],
  ["zstd", [40, 181, 47, 253]]
];
var UnpackError = class extends Error {
  hint;
  constructor(message, hint, cause) {
    super(message, { cause });
    this.hint = hint;
  }
};
var packages = { bzip2: "bzip2", xz: "xz-utils" };
async function* openArchive(archive) {
  const kind = await sniff(archive);
  if (kind === "bzip2" || kind === "xz") yield* runProgram(kind, ["-dc"], readRange(archive));
  else yield* decompress(readRange(archive));
}
async function* readRange(content) {
  if (content.kind === "bytes") yield content.bytes;
  else if (content.size > 0)
    yield* createReadStream(toBytes(content.path), {
      start: content.offset,
      end: content.offset + content.size - 1,
      highWaterMark: 1 << 20
    });
}
async function sniff(content) {
  for await (const start of readRange(content)) {
    const found = magics.find(([, magic]) => magic.every((byte, i) => start[i] === byte));
    return found === void 0 ? "tar" : found[0];
  }
  return void 0;
}
async function isArchive(content, otherwise = "") {
  try {
    for await (const _ of readTar(openArchive(content))) return true;
  } catch (error) {
    if (!(error instanceof MissingProgramError)) return false;
    const { program } = error;
    const hint = `install the package ${packages[program] ?? program}${otherwise}`;
    throw new UnpackError(`Cannot tell whether a file compressed with ${program} is an archive: ${program} is not installed`, hint, error);
  }
  return false;
}
async function unpackArchive(draft, archive, destination, options2, tools) {
  var _stack = [];
  try {
    const made = { mode: 493, owner: options2.owner, mtime: options2.now };
    const implied = { ...made, owner: void 0, isPlain: true };
    const root = resolvePath(draft, destination).path;
    draft.makeDirectories(root, made);
    const below = { lstat: (path14) => draft.lstat(joinPath(root, path14)), list: (path14) => draft.list(joinPath(root, path14)) };
    await mkdir2(tools.scratch, { recursive: true, mode: 448 });
    const spoolPath = join3(tools.scratch, randomUUID2());
    const spool = __using(_stack, await open(spoolPath, "w"), true);
    let offset = 0;
    let newest;
    const files = /* @__PURE__ */ new Map();
    for await (const { entry, content } of readTar(openArchive(archive))) {
      tools.signal.throwIfAborted();
      const { path: name, sha256: _2, text: __, ...attributes } = entry;
      if (entry.type === "file" || entry.type === "hardlink") newest = Math.max(entry.mtime, newest ?? entry.mtime);
      const owned = { ...attributes, ...options2.owner, mtimeNs: 0 };
      if (name === "") continue;
      const parent = joinPath(root, resolvePath(below, parentOf(name)).path);
      draft.makeDirectories(parent, implied);
      const path14 = joinPath(parent, name.slice(name.lastIndexOf("/") + 1));
      if (entry.type === "hardlink") {
        const target = files.get(joinPath(root, resolvePath(below, entry.link, { followLast: false }).path));
        if (target === void 0) throw new Error(`Cannot unpack archive: hard link "${name}" names "${entry.link}", which it does not hold`);
        const { type, size, link: link3, devMajor, devMinor } = target.attributes;
        target.attributes = { ...owned, type, size, link: link3, devMajor, devMinor };
        target.names.push(path14);
        files.set(path14, target);
        draft.put(path14, target);
        continue;
      }
      const start = offset;
      for await (const chunk of content) {
        await spool.write(chunk, 0, chunk.length, offset);
        offset += chunk.length;
      }
      if (entry.type === "directory") {
        const existing = draft.lstat(path14)?.attributes.type;
        if (existing !== void 0 && existing !== "directory") draft.remove(path14);
        files.delete(path14);
        draft.put(path14, { attributes: owned });
        continue;
      }
      const spooled = { kind: "file", path: toRaw(spoolPath), offset: start, size: offset - start };
      const file = { attributes: owned, inode: {}, content: spooled.size > 0 ? spooled : void 0, names: [path14] };
      files.set(path14, file);
      draft.put(path14, file);
    }
    settleLinks(draft, files.values());
    return { newest };
  } catch (_) {
    var _error = _, _hasError = true;
  } finally {
    var _promise = __callDispose(_stack, _error, _hasError);
    _promise && await _promise;
  }
}
function settleLinks(draft, files) {
  for (const file of new Set(files)) {
    if (file.names.length === 1) continue;
    for (const name of file.names) if (draft.lstat(name)?.inode === file.inode) draft.put(name, file);
  }
}

// src/context/regexp.ts
var newline = 10;
var isDigit = (rune) => rune >= 48 && rune <= 57;
var isSpace = (rune) => rune === 32 || rune === 9 || rune === newline || rune === 12 || rune === 13;
var isWord = (rune) => isDigit(rune) || rune >= 65 && rune <= 90 || rune >= 97 && rune <= 122 || rune === 95;
var isWordEdge = (before2, after) => (before2 !== void 0 && isWord(before2)) !== (after !== void 0 && isWord(after));
var classes = {
  d: isDigit,
  s: isSpace,
  w: isWord,
  D: (rune) => !isDigit(rune),
  S: (rune) => !isSpace(rune),
  W: (rune) => !isWord(rune)
};
var controls = { a: 7, f: 12, n: newline, r: 13, t: 9, v: 11 };
var posixClasses = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  ascii: /[^\u0080-\u{10ffff}]/u,
  blank: /[\t ]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this class is
  cntrl: /[\u0000-\u001f\u007f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t\n\v\f\r ]/,
  upper: /[A-Z]/,
  word: /\w/,
  xdigit: /[0-9A-Fa-f]/
};
function compileRegexp(expression) {
  const program = new Parser(expression).parse();
  const literal = longestLiteral(program);
  return (path14) => path14.includes(literal) && run(program, decodeRunes(path14));
}
function longestLiteral(program) {
  let longest2 = "";
  let current = "";
  for (const [i, step] of program.entries()) {
    const isOptional = program[i - 2]?.op === "fork";
    const isLiteral = step.op === "one" && step.rune !== void 0 && step.rune <= 1114111 && !isOptional;
    current = isLiteral ? current + toRaw(String.fromCodePoint(step.rune ?? 0)) : "";
    if (current.length > longest2.length) longest2 = current;
  }
  return longest2;
}
function run(program, text) {
  let states = new States(program.length + 1);
  let next = new States(program.length + 1);
  states.add(0);
  for (let at3 = 0; ; at3++) {
    const before2 = text[at3 - 1];
    const rune = text[at3];
    for (let i = 0; i < states.size; i++) {
      const state = states.at(i);
      const step = program[state];
      if (step === void 0) {
        if (rune === void 0) return true;
        continue;
      }
      if (step.op === "fork") {
        states.add(state + 1);
        states.add(step.to);
      } else if (step.op === "assert") {
        if (step.holds(before2, rune)) states.add(state + 1);
      } else {
        if (step.op === "star") states.add(state + 1);
        if (rune !== void 0 && step.test(rune)) next.add(step.op === "star" ? state : state + 1);
      }
    }
    if (rune === void 0 || next.size === 0) return false;
    states.clear();
    [states, next] = [next, states];
  }
}
var States = class {
  size = 0;
  #members;
  #places;
  constructor(limit) {
    this.#members = new Uint32Array(limit);
    this.#places = new Uint32Array(limit);
  }
  at(place) {
    return this.#members[place] ?? 0;
  }
  add(member) {
    const place = this.#places[member] ?? 0;
    if (place < this.size && this.#members[place] === member) return;
    this.#members[this.size] = member;
    this.#places[member] = this.size++;
  }
  clear() {
    this.size = 0;
  }
};
var Parser = class {
  #runes;
  #at = 0;
  constructor(runes) {
    this.#runes = runes;
  }
  parse() {
    const program = [];
    while (this.#at < this.#runes.length) {
      if (this.#take("(.*/)?")) {
        program.push({ op: "fork", to: program.length + 3 }, { op: "star", test: isNoNewline }, one(47));
        continue;
      }
      if (this.#take("^")) program.push({ op: "assert", holds: (before2) => before2 === void 0 });
      else program.push(this.#parseAtom());
    }
    return program;
  }
  #parseAtom() {
    if (this.#take(".")) return this.#repeat(isNoNewline);
    if (this.#take("[")) return this.#repeat(this.#parseClass());
    const rune = this.#next();
    if (rune !== 92) return one(rune);
    if (this.#take("A")) return { op: "assert", holds: (before2) => before2 === void 0 };
    if (this.#take("z")) return { op: "assert", holds: (_, after) => after === void 0 };
    if (this.#take("b")) return { op: "assert", holds: isWordEdge };
    if (this.#take("B")) return { op: "assert", holds: (before2, after) => !isWordEdge(before2, after) };
    const named2 = this.#takeClass();
    return named2 === void 0 ? one(this.#parseEscaped()) : { op: "one", test: named2 };
  }
  #repeat(test) {
    return { op: this.#take("*") ? "star" : "one", test };
  }
  /** What stands between `[` and `]`; a `]` that comes first is a member. */
  #parseClass() {
    const negated = this.#take("^");
    const tests = [];
    while (tests.length === 0 || !this.#take("]")) tests.push(this.#parseMember());
    return (rune) => tests.some((test) => test(rune)) !== negated;
  }
  #parseMember() {
    const posix = this.#takePosixClass();
    if (posix !== void 0) return posix;
    if (this.#peek() === 92) {
      this.#at += 1;
      const named2 = this.#takeClass();
      if (named2 !== void 0) return named2;
      this.#at -= 1;
    }
    const low = this.#parseMemberRune();
    const isRange = this.#peek() === 45 && this.#runes[this.#at + 1] !== 93;
    if (isRange) this.#at += 1;
    const high = isRange ? this.#parseMemberRune() : low;
    if (high < low) throw new SyntaxError("a range in a class runs backwards");
    return (rune) => low <= rune && rune <= high;
  }
  #parseMemberRune() {
    const rune = this.#next();
    return rune === 92 ? this.#parseEscaped() : rune;
  }
  #takePosixClass() {
    const rest = String.fromCodePoint(...this.#runes.slice(this.#at, this.#at + 12).map((rune) => Math.min(rune, 1114111)));
    const found = /^\[:(\^?)([^\]]*):\]/.exec(rest);
    if (found === null) return void 0;
    const [all, negated, name = ""] = found;
    const members = posixClasses[name];
    if (members === void 0) throw new SyntaxError(`"${all}" is no class`);
    this.#at += all.length;
    return (rune) => (rune <= 1114111 && members.test(String.fromCodePoint(rune))) !== (negated === "^");
  }
  #takeClass() {
    const test = classes[String.fromCodePoint(Math.min(this.#peek() ?? 0, 1114111))];
    if (test !== void 0) this.#at += 1;
    return test;
  }
  /** What follows a backslash; letters and digits that mean nothing are errors. */
  #parseEscaped() {
    const rune = this.#next();
    const letter = rune < 128 ? String.fromCharCode(rune) : "";
    const control = controls[letter];
    if (control !== void 0) return control;
    if (letter !== "" && !/[A-Za-z0-9]/.test(letter)) return rune;
    throw new SyntaxError(`"\\${letter || "\u2026"}" is no escape`);
  }
  #peek() {
    return this.#runes[this.#at];
  }
  #next() {
    const rune = this.#runes[this.#at];
    if (rune === void 0) throw new SyntaxError(`"[" has no "]", or a backslash ends it`);
    this.#at += 1;
    return rune;
  }
  #take(text) {
    for (let i = 0; i < text.length; i++) if (this.#runes[this.#at + i] !== text.charCodeAt(i)) return false;
    this.#at += text.length;
    return true;
  }
};
var isNoNewline = (rune) => rune !== newline;
function one(rune) {
  return { op: "one", test: (other) => other === rune, rune };
}

// src/context/ignore-pattern.ts
function parseIgnorePattern(pattern) {
  if (pattern === "!") throw new SyntaxError('illegal exclusion pattern: "!"');
  const isException = pattern.startsWith("!");
  const text = isException ? pattern.slice(1) : pattern;
  matchGlob(text, ".");
  const matches = compilePattern(text);
  const segments = text.split("/").map(compileSegment);
  return { text, isException, matches, reachesBelow: (directory) => reachesBelow(segments, directory) };
}
var star = 42;
var slash = 47;
var backslash = 92;
var specials = new Set([...".+()|{}$"].map((character) => character.charCodeAt(0)));
function compilePattern(text) {
  const runes = decodeRunes(text);
  const expression = [];
  const add = (part) => expression.push(...[...part].map((character) => character.charCodeAt(0)));
  let kind = "exact";
  for (let i = 0; i < runes.length; ) {
    const isFirst = i === 0;
    const rune = runes[i++] ?? 0;
    if (rune === star && runes[i] === star) {
      i += runes[i + 1] === slash ? 2 : 1;
      const isLast = i === runes.length;
      add(isLast ? ".*" : "(.*/)?");
      kind = isFirst ? "suffix" : isLast && kind === "exact" ? "prefix" : "regexp";
      continue;
    }
    if (rune === star) add("[^/]*");
    else if (rune === 63) add("[^/]");
    else if (specials.has(rune)) expression.push(backslash, rune);
    else if (rune === backslash) expression.push(backslash, runes[i++] ?? backslash);
    else expression.push(rune);
    if (rune === star || rune === 63 || rune === backslash || rune === 91 || rune === 93) kind = "regexp";
  }
  switch (kind) {
    case "exact":
      return (path14) => path14 === text;
    case "prefix":
      return startsWith(text.slice(0, -2));
    case "suffix":
      return endsWith(text.slice(2));
    case "regexp":
      return compileRegexp(expression);
  }
}
function startsWith(prefix) {
  return (path14) => path14.startsWith(prefix);
}
function endsWith(suffix) {
  return (path14) => path14.endsWith(suffix) || suffix.startsWith("/") && path14 === suffix.slice(1);
}
function compileSegment(segment) {
  if (segment.includes("**") || /[[\]\\^]/.test(segment)) return void 0;
  return compilePattern(segment);
}
function reachesBelow(segments, directory) {
  const names2 = directory === "" ? [] : directory.split("/");
  for (const [i, name] of names2.entries()) {
    const segment = segments[i];
    if (segment === void 0) return i < segments.length;
    if (!segment(name)) return false;
  }
  return segments.length > names2.length;
}

// src/context/ignore.ts
function parseIgnore(text, file) {
  const bytes = typeof text === "string" ? Buffer.from(text, "utf8") : Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const lines = bytes.toString("latin1").replace(/^\xef\xbb\xbf/, "").split("\n");
  const patterns = [];
  for (const [i, line] of lines.entries()) {
    const pattern = cleanLine(line.replace(/\r$/, ""));
    if (pattern === void 0) continue;
    try {
      patterns.push(parseIgnorePattern(pattern));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SyntaxError(`Cannot read ${file}:${i + 1}:${columnOf(line)}: ${why}`, { cause });
    }
  }
  return joinPatterns(patterns);
}
function readPatterns(texts) {
  const written = texts.map(trim).filter((text) => text !== "");
  return joinPatterns(written.map((text) => parseIgnorePattern(cleanPath(text))));
}
function columnOf(line) {
  return toText(line.slice(0, line.indexOf(trim(line)))).length + 1;
}
function joinPatterns(patterns) {
  const reaches = (isException, directory) => patterns.some((pattern) => pattern.isException === isException && pattern.reachesBelow(directory));
  return {
    match: (path14, parent) => matchAll(patterns, path14, parent),
    mayReincludeBelow: (directory) => reaches(true, directory),
    mayIgnoreBelow: (directory) => reaches(false, directory),
    hasExceptions: patterns.some((pattern) => pattern.isException)
  };
}
function hidePath(patterns, hidden) {
  const isHidden = (path14) => path14 === hidden || path14.startsWith(`${hidden}/`);
  return {
    match: (path14, parent) => isHidden(path14) ? { isIgnored: true, matched: [] } : patterns.match(path14, parent),
    mayIgnoreBelow: (directory) => directory === "" || `${hidden}/`.startsWith(`${directory}/`) || patterns.mayIgnoreBelow(directory),
    mayReincludeBelow: (directory) => !isHidden(directory) && patterns.mayReincludeBelow(directory),
    hasExceptions: patterns.hasExceptions
  };
}
function matchAll(patterns, path14, parent) {
  const matched = patterns.map((pattern, i) => parent?.matched[i] === true || pattern.matches(path14));
  const last = matched.lastIndexOf(true);
  return { matched, isIgnored: last >= 0 && patterns[last]?.isException === false };
}
function cleanLine(line) {
  if (line.startsWith("#")) return void 0;
  const trimmed = trim(line);
  if (trimmed === "") return void 0;
  const isException = trimmed.startsWith("!");
  const pattern = isException ? trim(trimmed.slice(1)) : trimmed;
  if (pattern === "") return "!";
  const cleaned = cleanPath(pattern);
  const relative3 = cleaned.length > 1 && cleaned.startsWith("/") ? cleaned.slice(1) : cleaned;
  return isException ? cleanPath(`!${relative3}`) : relative3;
}
var spaces = [
  ..."	\n\v\f\r \x85\xA0\u1680\u2028\u2029\u202F\u205F\u3000",
  ...Array.from({ length: 11 }, (_, i) => String.fromCharCode(8192 + i))
].map(toRaw);
function trim(text) {
  let rest = text;
  for (let found = first(); found !== void 0; found = first()) rest = rest.slice(found.length);
  for (let found = last(); found !== void 0; found = last()) rest = rest.slice(0, -found.length);
  return rest;
  function first() {
    return spaces.find((space2) => rest.startsWith(space2));
  }
  function last() {
    return spaces.find((space2) => rest.endsWith(space2));
  }
}
function cleanPath(path14) {
  const isRooted = path14.startsWith("/");
  const parts = [];
  for (const part of path14.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!isRooted) parts.push("..");
  }
  return (isRooted ? "/" : "") + parts.join("/") || ".";
}
var noPatterns = parseIgnore("", "");

// src/context/git.ts
var { spawn } = process.getBuiltinModule("node:child_process");
var { randomUUID: randomUUID3 } = process.getBuiltinModule("node:crypto");
var { appendFile, mkdir: mkdir3, rm } = process.getBuiltinModule("node:fs/promises");
var { join: join4 } = process.getBuiltinModule("node:path");
var GitError = class extends Error {
  hint;
  constructor(source, state, options2 = {}) {
    super(`Cannot use git repository "${redactText(source.remote)}": ${state}`, { cause: options2.cause });
    this.hint = options2.hint;
  }
};
async function beginCheckout(source, tools) {
  if (!/^(?:https?|git):/i.test(source.remote) && tools.sshAgent === void 0)
    throw new GitError(source, "ssh needs an agent", { hint: "give --ssh default" });
  const tree = join4(tools.directory, randomUUID3());
  await mkdir3(tree, { recursive: true });
  const git = new Git(source, tree, tools);
  await git.run(["-c", "init.defaultBranch=master", "init", "--quiet"]);
  const { remote } = splitUserinfo(source.remote);
  await appendFile(join4(tree, ".git", "config"), `[remote "origin"]
	url = "${remote.replace(/["\\]/g, "\\$&")}"
`);
  const found = await findRef(git, source);
  const finished = checkOut(git, source, found, tree);
  finished.catch(() => {
  });
  return { commit: found.objects.at(-1) ?? found.name, finished };
}
var commit = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i;
async function findRef(git, source) {
  const { checksum, fetchByCommit } = source;
  const ref = fetchByCommit && checksum !== void 0 ? checksum : source.ref;
  if (ref !== void 0 && commit.test(ref)) return { name: ref.toLowerCase(), objects: [] };
  const listed = await git.run(["ls-remote", "--quiet", "origin", ...ref === void 0 ? ["HEAD"] : [ref, `${ref}^{}`]]);
  const shas = new Map(listed.split("\n").flatMap((line) => line === "" ? [] : [line.split("	").reverse()]));
  const names2 = ref === void 0 ? ["HEAD"] : ref.startsWith("refs/") ? [ref] : [`refs/${ref}`, `refs/heads/${ref}`, `refs/tags/${ref}`];
  const name = names2.find((candidate) => shas.has(candidate));
  if (name === void 0) {
    const state = ref === void 0 ? "it has no default branch" : `it does not contain ref ${ref}: there is no ${names2.join(" and no ")}`;
    throw new GitError(source, state, commitHint(ref));
  }
  const objects = [shas.get(name), shas.get(`${name}^{}`)].flatMap((sha) => sha ?? []);
  if (checksum !== void 0 && !objects.some((sha) => sha.startsWith(checksum))) throw mismatch(source, objects.at(-1));
  return { name, objects };
}
function commitHint(ref) {
  return ref !== void 0 && /^[0-9a-f]{7,63}$/i.test(ref) ? { hint: "write a commit with all its digits" } : {};
}
function mismatch(source, sha) {
  return new GitError(source, `expected checksum to match ${source.checksum}, got ${sha}`);
}
async function checkOut(git, source, { name, objects }, tree) {
  const { checksum, subdir, submodules } = source;
  const isNamed = name.startsWith("refs/heads/") || name.startsWith("refs/tags/");
  await git.fetch(["fetch", "--quiet", "--no-tags", "--update-head-ok", "--depth=1", "origin", isNamed ? `+${name}:${name}` : name]);
  await git.run(["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", commit.test(name) ? name : "FETCH_HEAD"]);
  const [sha = "", seconds = "0"] = (await git.run(["show", "--no-patch", "--format=%H %ct", "HEAD"])).trim().split(" ");
  if (checksum !== void 0 && ![sha, ...objects].some((object) => object.startsWith(checksum))) throw mismatch(source, sha);
  if (submodules) await git.fetch(["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"]);
  const keepsGitDir = source.keepGitDir && (subdir === void 0 || /^[./]*$/.test(subdir));
  if (!keepsGitDir) {
    const below = submodules ? await git.run(["submodule", "--quiet", "foreach", "--recursive", 'printf "%s\\0" "$displaypath"']) : "";
    for (const path14 of ["", ...below.split("\0").filter(Boolean)]) await rm(join4(tree, path14, ".git"), { recursive: true, force: true });
  } else {
    await rm(join4(tree, ".git", "FETCH_HEAD"), { force: true });
    await git.run(["remote", "set-url", "origin", redactText(source.remote)]);
    await git.run(["reflog", "expire", "--all", "--expire=now"]);
  }
  const view = openDirectory(tree, noPatterns);
  const base = resolvePath(view, toRaw(subdir ?? ""));
  if (base.node?.attributes.type !== "directory") throw new GitError(source, `there is no directory "${subdir}" in it at ${sha}`);
  const found = { base: base.path, commit: sha, time: Number(seconds) };
  if (source.mtime === "checkout") return { ...view, ...found };
  const lstat4 = (path14) => {
    const node = view.lstat(path14);
    return node && { ...node, attributes: { ...node.attributes, mtime: found.time, mtimeNs: 0 } };
  };
  return { ...view, lstat: lstat4, ...found };
}
var Git = class {
  #source;
  #tree;
  #tools;
  constructor(source, tree, tools) {
    this.#source = source;
    this.#tree = tree;
    this.#tools = tools;
  }
  /** What it writes. Throws a GitError with what it complained about. */
  async run(args) {
    const { code, output, complaint } = await this.#start(args);
    if (code === 0) return output;
    const verb = args.find((word, i) => !word.startsWith("-") && args[i - 1] !== "-c");
    throw new GitError(this.#source, `git ${verb} failed: ${redactText(complaint.trim() || `it ended with ${code ?? "a signal"}`)}`);
  }
  /** The same for a command with `--depth=1`, which is left out for hosts that cannot do it. */
  async fetch(args) {
    try {
      return await this.run(args);
    } catch (error) {
      if (!(error instanceof GitError) || !/--depth|shallow|unadvertised|not our ref/.test(error.message)) throw error;
      const whole = args.filter((word) => word !== "--depth=1");
      return this.run(
        /unadvertised|not our ref/.test(error.message) ? ["fetch", "--quiet", "origin", "+refs/*:refs/remotes/origin/*"] : whole
      );
    }
  }
  #start(args) {
    const { signal } = this.#tools;
    signal.throwIfAborted();
    const command = ["-c", 'umask 022 && exec git -c protocol.file.allow=user "$@"', "git", ...args];
    const child = spawn("sh", command, { cwd: this.#tree, env: this.#environment(), stdio: ["ignore", "pipe", "pipe"], detached: true });
    const stop = () => {
      if (child.pid !== void 0 && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    };
    signal.addEventListener("abort", stop, { once: true });
    const texts = { output: "", complaint: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => texts.output += text);
    child.stderr.setEncoding("utf8").on("data", (text) => texts.complaint = (texts.complaint + text).slice(-4096));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        signal.removeEventListener("abort", stop);
        if (signal.aborted) return reject(signal.reason);
        if (code === 127) return reject(new GitError(this.#source, "git is not installed", { hint: "install the package git" }));
        resolve({ code, ...texts });
      });
    });
  }
  #environment() {
    const { proxies, authorities, skipTlsVerify, sshAgent } = this.#tools;
    const { settings, login } = identify(this.#source.remote, this.#tools);
    const numbered = Object.entries(settings).flatMap(([key, value], i) => [
      [`GIT_CONFIG_KEY_${i}`, key],
      [`GIT_CONFIG_VALUE_${i}`, value]
    ]);
    return {
      PATH: usualPath,
      HOME: "/dev/null",
      LC_ALL: "C",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_TERMINAL_PROMPT: "0",
      ...proxies.http === void 0 ? {} : { http_proxy: proxies.http },
      ...proxies.https === void 0 ? {} : { https_proxy: proxies.https },
      ...proxies.noProxy === void 0 ? {} : { no_proxy: proxies.noProxy },
      // Neither in arguments, which everyone on the machine can read, nor in the .git that may end up in an image.
      GIT_CONFIG_COUNT: String(numbered.length / 2),
      ...Object.fromEntries(numbered),
      ...login === void 0 ? {} : { SLIPWAY_GIT_USERNAME: login.username, SLIPWAY_GIT_PASSWORD: login.password },
      // Without known hosts, as BuildKit does it.
      GIT_SSH_COMMAND: "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
      ...sshAgent === void 0 ? {} : { SSH_AUTH_SOCK: sshAgent },
      ...authorities[0] === void 0 ? {} : { GIT_SSL_CAINFO: authorities[0] },
      ...skipTlsVerify ? { GIT_SSL_NO_VERIFY: "1" } : {}
    };
  }
};
function identify(address, { secrets, credentials }) {
  if (!/^https?:/i.test(address)) return { settings: {} };
  const { remote, userinfo } = splitUserinfo(address);
  const { host, origin } = new URL(remote);
  const scope = scopeOf(remote);
  for (const suffix of [`.${host}`, ""]) {
    const header = readSecret(secrets, `GIT_AUTH_HEADER${suffix}`);
    const basic = /^basic\s+(\S+)$/i.exec(header ?? "")?.[1];
    if (basic !== void 0) return logIn(scope, readLogin(Buffer.from(basic, "base64").toString("utf8")));
    if (header !== void 0)
      return { settings: { [`http.${scope}.extraheader`]: `Authorization: ${header}`, [`http.${scope}.followRedirects`]: "false" } };
    const token2 = readSecret(secrets, `GIT_AUTH_TOKEN${suffix}`);
    if (token2 !== void 0) return logIn(scope, { username: "x-access-token", password: token2 });
  }
  const login = userinfo === void 0 ? credentials : readLogin(userinfo);
  return login === void 0 ? { settings: {} } : logIn(origin, login);
}
var helper = '!f() { test "$1" != get || printf "username=%s\\npassword=%s\\n" "$SLIPWAY_GIT_USERNAME" "$SLIPWAY_GIT_PASSWORD"; }; f';
function logIn(scope, login) {
  const scopes = /[^/:]\/.*[^/]$/.test(scope) && !scope.endsWith(".git") ? [scope, `${scope}.git`] : [scope];
  const helpers = scopes.map((one3) => [`credential.${one3}.helper`, helper]);
  return { settings: { "credential.useHttpPath": "true", ...Object.fromEntries(helpers) }, login };
}
function readLogin(userinfo) {
  const [username = "", password = ""] = userinfo.split(/:(.*)/s);
  return { username, password };
}
function splitUserinfo(address) {
  const [, before2, userinfo, after] = /^(https?:\/\/)([^/?#]*)@(.*)$/is.exec(address) ?? [];
  if (userinfo === void 0) return { remote: address, userinfo: void 0 };
  const [user = "", password = ""] = userinfo.split(/:(.*)/s);
  return { remote: `${before2}${after}`, userinfo: `${decode(user)}:${decode(password)}` };
}
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
function scopeOf(remote) {
  return /^https:\/\/(?:www\.)?github\.com\//.exec(remote)?.[0] ?? remote;
}

// src/context/git-reference.ts
var scp = /^([\w-]+@[\w.-]+:[^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
var url = /^((?:git|ssh):\/\/[^?#]+|https?:\/\/[^?#]*\.git)(?:\?([^#]*))?(?:#(.*))?$/is;
function isGitSource(text) {
  return scp.test(text) || url.test(text);
}
function parseGitSource(text) {
  const [, remote = "", query = "", fragment = ""] = scp.exec(text) ?? url.exec(text) ?? [];
  const colon = fragment.indexOf(":");
  let ref = decode2(colon < 0 ? fragment : fragment.slice(0, colon));
  let subdir = colon < 0 ? "" : decode2(fragment.slice(colon + 1));
  const values = readQuery(query);
  const join13 = (kind, before2, value) => {
    if (value === void 0 || before2 === value) return before2;
    if (before2 !== "") throw new SyntaxError(`${kind} conflicts: ${JSON.stringify(before2)} vs ${JSON.stringify(value)}`);
    return value;
  };
  const tag = values.get("tag");
  const branch = values.get("branch");
  ref = join13("ref", ref, values.get("ref"));
  subdir = join13("subdir", subdir, values.get("subdir"));
  ref = join13("ref", ref, tag && prefixed("refs/tags/", tag));
  if (tag !== void 0 && branch !== void 0) throw new SyntaxError("branch conflicts with tag");
  ref = join13("ref", ref, branch && prefixed("refs/heads/", branch));
  const checksum = values.get("checksum") ?? values.get("commit");
  if (ref === "" && checksum !== void 0) ref = checksum;
  return {
    remote,
    ...ref === "" ? {} : { ref },
    ...subdir === "" ? {} : { subdir },
    ...checksum === void 0 ? {} : { checksum: readCommit(checksum) },
    submodules: readFlag("submodules", values.get("submodules")) ?? true,
    keepGitDir: readFlag("keep-git-dir", values.get("keep-git-dir")) ?? false,
    mtime: readMtime(values.get("mtime") ?? "checkout"),
    fetchByCommit: readFlag("fetch-by-commit", values.get("fetch-by-commit")) ?? false
  };
}
function readCommit(text) {
  if (/^[0-9a-f]{7,64}$/i.test(text)) return text.toLowerCase();
  throw new SyntaxError(`invalid checksum ${text} for Git source, expected hex commit hash`);
}
var keys = ["ref", "tag", "branch", "subdir", "checksum", "commit", "submodules", "keep-git-dir", "mtime", "fetch-by-commit"];
var flags = ["submodules", "keep-git-dir", "fetch-by-commit"];
function readQuery(query) {
  const values = /* @__PURE__ */ new Map();
  for (const [key, value] of new URLSearchParams(query)) {
    if (!keys.includes(key)) throw new SyntaxError(`unexpected query ${JSON.stringify(key)}`);
    if (values.has(key)) throw new SyntaxError(`query ${JSON.stringify(key)} has multiple values`);
    if (value === "" && !flags.includes(key)) throw new SyntaxError(`query ${JSON.stringify(key)} has no value`);
    values.set(key, value);
  }
  return values;
}
function readFlag(name, value) {
  if (value === void 0) return void 0;
  if (value === "" || /^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new SyntaxError(`invalid ${name} value: ${JSON.stringify(value)}`);
}
function readMtime(value) {
  if (value === "checkout" || value === "commit") return value;
  throw new SyntaxError(`invalid mtime value: ${JSON.stringify(value)}`);
}
function prefixed(prefix, name) {
  return name.startsWith(prefix) ? name : `${prefix}${name}`;
}
function decode2(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SyntaxError(`invalid URL escape in ${JSON.stringify(text)}`);
  }
}

// src/context/source.ts
var path2 = process.getBuiltinModule("node:path");
var ContextError = class extends Error {
  hint;
  constructor(source, why, { hint, cause } = {}) {
    super(`Cannot open context "${redactText(source)}": ${why}`, { cause });
    this.hint = hint;
  }
};
var schemes = ["gs://", "dir://", "tar://", "s3://", "git://", "https://"];
var stores = { "s3://": "aws s3 cp URL -", "gs://": "gcloud storage cat URL" };
var azure = /^https:\/\/[^/]+\.blob\.core\.(?:windows\.net|chinacloudapi\.cn|cloudapi\.de|usgovcloudapi\.net)\//i;
function parseContextSource(text, workingDirectory, choices) {
  const fail3 = (why, details = {}) => new ContextError(text, why, details);
  const locate = (file) => path2.resolve(workingDirectory, file);
  if (text === "") throw fail3("it is empty");
  const scheme2 = /^[^/]*?:\/\//.exec(text)?.[0] ?? "";
  const rest = text.slice(scheme2.length);
  try {
    if (scheme2 === "git://") return { kind: "git", source: parseKanikoGit(text, choices) };
    if (isGitSource(text)) return { kind: "git", source: choose(parseGitSource(text), choices) };
  } catch (cause) {
    throw cause instanceof SyntaxError ? fail3(cause.message, { cause }) : cause;
  }
  if (scheme2 === "" || scheme2 === "dir://") return { kind: "directory", path: locate(rest) };
  if (scheme2 === "tar://") return { kind: "archive", path: rest === "stdin" ? void 0 : locate(rest) };
  if (azure.test(text) && !new URL(text).searchParams.has("sig"))
    throw fail3("Azure's storage keys are not yet supported", {
      hint: "give an address with a shared access signature, or pipe the archive into --context tar://stdin"
    });
  if (/^https?:\/\/$/i.test(scheme2)) return { kind: "web", url: text };
  const store2 = stores[scheme2];
  if (store2 !== void 0)
    throw fail3(`${scheme2} is not yet supported`, {
      hint: `pipe the archive in: ${store2.replace("URL", text)} | slipway --context tar://stdin`
    });
  throw fail3(`unknown build context prefix provided, please use one of the following: ${schemes.join(", ")}`);
}
function parseKanikoGit(text, choices) {
  const [address = "", ref = "", commit2 = ""] = text.split("#");
  const parsed = parseGitSource(ref === "" ? address : `${address}#${ref}`);
  const submodules = /[?&]submodules\b/.test(address) && parsed.submodules;
  const remote = `${choices.protocol}://${parsed.remote.slice("git://".length)}`;
  return { ...choose({ ...parsed, remote, submodules }, choices), ...commit2 === "" ? {} : { ref: commit2 } };
}
function choose(source, { branch, submodules }) {
  return { ...source, ...branch === void 0 ? {} : { ref: branch }, submodules: submodules ?? source.submodules };
}

// src/context/fetch.ts
var { randomUUID: randomUUID4 } = process.getBuiltinModule("node:crypto");
var { createWriteStream: createWriteStream2 } = process.getBuiltinModule("node:fs");
var { rm: rm2, stat } = process.getBuiltinModule("node:fs/promises");
var { join: join5 } = process.getBuiltinModule("node:path");
var { pipeline: pipeline2 } = process.getBuiltinModule("node:stream/promises");
var singleName = "context";
async function fetchFiles(source, { name, directory, unpacks }, tools) {
  switch (source.kind) {
    case "git":
      return checkOut2(source.source, directory, tools);
    case "web": {
      const { path: path14, size, mtime } = await (await beginDownload(source.url, source.checksum, { ...tools, directory })).finished;
      const file = { kind: "file", path: toRaw(path14), offset: 0, size };
      const time = mtime === 0 ? void 0 : mtime;
      if (!unpacks || !await isArchive(file)) return showFile(file, time);
      const unpacked = await unpack(file, time, name, directory, tools);
      await rm2(path14);
      return unpacked;
    }
    case "archive": {
      const path14 = source.path ?? await saveInput(name, directory, tools);
      const found = await stat(path14).catch((cause) => {
        throw new ContextError(name, `"${path14}" cannot be read: ${cause.message}`, { cause });
      });
      const file = { kind: "file", path: toRaw(path14), offset: 0, size: found.size };
      if (!found.isFile() || !await isArchive(file))
        throw new ContextError(name, "it is no archive: neither a tar nor one in gzip, bzip2, xz or zstd");
      return unpack(file, void 0, name, directory, tools);
    }
  }
}
async function checkOut2(source, directory, tools) {
  const checkout = await (await beginCheckout(source, { ...tools, directory })).finished;
  const { base, commit: commit2, time } = checkout;
  return { view: viewBelow(checkout, base), keepsOwners: false, time, commit: commit2, isSingle: false };
}
async function saveInput(name, directory, { stdin, signal }) {
  if (stdin === void 0) throw new ContextError(name, "standard input is a terminal; pipe the archive in");
  const path14 = join5(directory, randomUUID4());
  await pipeline2(stdin(), createWriteStream2(path14, { flags: "wx", mode: 384 }), { signal });
  return path14;
}
async function unpack(archive, modified, name, directory, { signal }) {
  const draft = new Draft(emptyTree);
  const now = modified ?? Math.floor(Date.now() / 1e3);
  draft.put("", { attributes: directoryAttributes(493, 0, 0, now) });
  try {
    const { newest } = await unpackArchive(draft, archive, "", { owner: void 0, now }, { scratch: directory, signal });
    return { view: showDraft(draft), keepsOwners: true, time: modified ?? newest, isSingle: false };
  } catch (cause) {
    if (!(cause instanceof MalformedLayerError)) throw cause;
    throw new ContextError(name, `its archive is damaged: ${cause.message.replace(/^Malformed layer: /, "")}`, { cause });
  }
}
function showFile(single, time) {
  const now = time ?? Math.floor(Date.now() / 1e3);
  const draft = new Draft(emptyTree);
  draft.put("", { attributes: directoryAttributes(493, 0, 0, now) });
  const attributes = { ...directoryAttributes(384, 0, 0, now), type: "file", size: single.size };
  draft.put(singleName, { attributes, content: single });
  return { view: showDraft(draft), keepsOwners: true, time, isSingle: true };
}
function showDraft(draft) {
  return {
    lstat(path14) {
      const node = draft.lstat(path14);
      return node && { attributes: node.attributes, inode: node.inode };
    },
    list: (path14) => draft.list(path14),
    content(path14) {
      const type = draft.lstat(path14)?.attributes.type;
      if (type !== "file") throw failure(path14, type === void 0 ? "it is not there" : "it is no regular file");
      const content = draft.contentAt(path14);
      return typeof content === "object" ? content : { kind: "bytes", bytes: new Uint8Array() };
    }
  };
}

// src/context/ignore-file.ts
async function readIgnoreFile(places) {
  for (const place of places) {
    const fail3 = (why, cause) => new Error(`Cannot read ignore file ${place.shown}: ${why}`, { cause });
    try {
      const found = await place.look();
      if (found === void 0 || found.type === "directory") continue;
      if (found.type === "other") throw fail3("it is no regular file");
      if (found.size > maxBytes) throw fail3(`it has ${found.size} bytes; ${maxBytes} are the limit`);
      return parseIgnore(await found.read(), place.path);
    } catch (cause) {
      throw cause instanceof Error && "code" in cause ? fail3("access to it failed", cause) : cause;
    }
  }
  return noPatterns;
}

// src/context/place.ts
var { readFile: readFile2, stat: stat2 } = process.getBuiltinModule("node:fs/promises");
var path3 = process.getBuiltinModule("node:path");
function shelfOnDisk(directory) {
  return (name) => {
    const place = path3.resolve(directory, name);
    const look = async () => {
      try {
        const found = await stat2(place);
        const type = found.isDirectory() ? "directory" : found.isFile() ? "file" : "other";
        return { type, size: found.size, read: () => readFile2(place) };
      } catch (error) {
        if (isAbsent(error)) return void 0;
        throw error;
      }
    };
    return { path: place, shown: `"${place}"`, look };
  };
}
function shelfInView(view, owner) {
  return (name) => {
    const inside = path3.posix.join("/", name).slice(1);
    const look = async () => {
      const { path: place, node } = resolvePath(view, toRaw(inside));
      if (node === void 0) return void 0;
      const { type, size } = node.attributes;
      const kind = type === "file" || type === "directory" ? type : "other";
      return { type: kind, size, read: () => gather(readRange(view.content(place))) };
    };
    return { path: inside, shown: `"${inside}" in "${owner}"`, look };
  };
}
async function gather(bytes) {
  const parts = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}
function isAbsent(error) {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

// src/context/context.ts
var { readFile: readFile3, realpath, rm: rm3, stat: stat3 } = process.getBuiltinModule("node:fs/promises");
var { basename, dirname, join: join6, relative } = process.getBuiltinModule("node:path");
async function openFiles(source, name, { stateDir, unpacks }, tools) {
  if (source.kind !== "directory")
    return fetchFrom(source, { name, unpacks }, tools, async (fetched, found) => ({
      ...found,
      ...hideIgnored(fetched.view, noPatterns)
    }));
  const directory = await findDirectory(source.path, name);
  return showDirectory(directory, await readIgnoreFile([shelfOnDisk(directory)(".dockerignore")]), stateDir);
}
async function openContext2(text, options2, tools) {
  const source = parseContextSource(text, options2.workingDirectory, options2.git);
  const { workingDirectory, subPath, stateDir } = options2;
  const onDisk = shelfOnDisk(workingDirectory);
  if (source.kind === "directory") {
    const directory = await findDirectory(join6(source.path, subPath), text);
    const shelf = shelfOnDisk(directory);
    const { dockerfile, beside } = await readDockerfile(options2.dockerfile, [onDisk, shelf], tools);
    const ignore = await readIgnoreFile([...beside, shelf(".dockerignore")]);
    return { dockerfile, hasExceptions: ignore.hasExceptions, ...await showDirectory(directory, ignore, stateDir) };
  }
  const { credentials, skipTlsVerify } = options2.git;
  return fetchFrom(
    withDefaults(source, options2),
    { name: text, unpacks: true },
    { ...tools, credentials, skipTlsVerify },
    async (fetched, found) => {
      const root = resolvePath(fetched.view, toRaw(subPath));
      if (root.node?.attributes.type !== "directory") throw new ContextError(text, `there is no directory "${subPath}" in it`);
      const view = viewBelow(fetched.view, root.path);
      const shelf = shelfInView(view, found.location);
      const isItself = fetched.isSingle && options2.dockerfile === "Dockerfile";
      const { dockerfile, beside } = isItself ? await readDockerfile(singleName, [shelf], tools) : await readDockerfile(options2.dockerfile, [onDisk, shelf], tools);
      const ignore = await readIgnoreFile([...beside, shelf(".dockerignore")]);
      return { ...found, dockerfile, hasExceptions: ignore.hasExceptions, ...hideIgnored(view, ignore) };
    }
  );
}
function withDefaults(source, { keepGitDir, mtime }) {
  if (source.kind !== "git") return source;
  const { source: git } = source;
  return { kind: "git", source: { ...git, keepGitDir: keepGitDir || git.keepGitDir, mtime: git.mtime === "checkout" ? mtime : git.mtime } };
}
async function fetchFrom(source, { name, unpacks }, tools, open5) {
  const directory = await tools.makeDirectory();
  const close = () => rm3(directory, { recursive: true, force: true });
  try {
    const fetched = await fetchFiles(source, { name, directory, unpacks }, tools);
    const { keepsOwners, time, commit: commit2 } = fetched;
    return await open5(fetched, { location: redactText(name), stateDir: void 0, keepsOwners, time, commit: commit2, close });
  } catch (error) {
    await close();
    throw error;
  }
}
async function openDockerfile(name, directory, tools) {
  return (await readDockerfile(name, [shelfOnDisk(directory)], tools)).dockerfile;
}
async function readDockerfile(name, shelves, tools) {
  if (!/^https?:\/\//i.test(name)) {
    const { dockerfile, beside } = await findDockerfile(name, shelves);
    return { dockerfile, beside: [beside] };
  }
  const directory = await tools.makeDirectory();
  try {
    const download = await (await beginDownload(name, void 0, { ...tools, directory })).finished;
    const { size } = download;
    if (size > maxBytes) throw new Error(`Cannot read Dockerfile "${redactText(name)}": it has ${size} bytes; ${maxBytes} are the limit`);
    return { dockerfile: { path: redactText(name), text: await readFile3(download.path, "utf8") }, beside: [] };
  } finally {
    await rm3(directory, { recursive: true, force: true });
  }
}
async function findDirectory(directory, name) {
  const fail3 = (why, cause) => new ContextError(name, why, { cause });
  let real;
  try {
    real = await realpath(directory);
  } catch (cause) {
    throw fail3(`directory "${directory}" ${isMissing(cause) ? "does not exist" : "cannot be reached"}`, cause);
  }
  if (!(await stat3(real)).isDirectory()) throw fail3(`"${directory}" is no directory`);
  return real;
}
function isMissing(error) {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
async function showDirectory(directory, ignore, stateDir) {
  const below = relative(directory, await resolveLinks(stateDir));
  const isInside = below !== "" && below !== ".." && !below.startsWith("../");
  const hidden = isInside ? toRaw(below) : void 0;
  const view = openDirectory(directory, hidden === void 0 ? ignore : hidePath(ignore, hidden));
  return { location: directory, directory, stateDir: hidden, keepsOwners: false, time: void 0, ...view, async close() {
  } };
}
async function resolveLinks(path14) {
  try {
    return await realpath(path14);
  } catch (error) {
    if (!isAbsent(error) || path14 === dirname(path14)) throw error;
    return join6(await resolveLinks(dirname(path14)), basename(path14));
  }
}

// src/dockerfile/error.ts
var LineError = class extends SyntaxError {
  hint;
  /** As far as it is known; `within` adds to it. */
  part;
  constructor(reason, hint, part = {}) {
    super(reason);
    this.name = "LineError";
    this.hint = hint;
    this.part = part;
  }
};
function within(part, action) {
  try {
    return action();
  } catch (error) {
    if (error instanceof LineError && error.part.of === void 0) error.part = { ...part, ...error.part };
    throw error;
  }
}
var DockerfileError = class extends SyntaxError {
  file;
  /** What is wrong. */
  range;
  /** The instruction that it stands in. */
  instruction;
  reason;
  /** What to do about it, such as `did you mean RUN?`. */
  hint;
  constructor(reason, where) {
    const hint = where.hint === void 0 ? "" : ` (${where.hint})`;
    const { line, column } = where.range.start;
    super(`${where.file}:${line}:${column}: ${reason}${hint}`, { cause: where.cause });
    this.name = "DockerfileError";
    this.file = where.file;
    this.range = where.range;
    this.instruction = where.instruction ?? where.range;
    this.reason = reason;
    this.hint = where.hint;
  }
};
function lineRange(first, last = first) {
  return { start: { line: first, column: 1 }, end: { line: last, column: 1 } };
}

// src/dockerfile/space.ts
var space = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
var spaces2 = new RegExp(`${space.source}+`);
function isSpace2(character) {
  return space.test(character);
}
function splitSpaces(text) {
  return text.split(spaces2);
}
function trimStart(text) {
  let start = 0;
  while (start < text.length && isSpace2(text.charAt(start))) start++;
  return text.slice(start);
}
function trim2(text) {
  let end = text.length;
  while (end > 0 && isSpace2(text.charAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}
function splitBlanks(text) {
  return text.split(/[\t\v\f\r ]+/);
}
function cutBlanks(text) {
  const found = /[\t\v\f\r ]+/.exec(text);
  return found ? [text.slice(0, found.index), text.slice(found.index + found[0].length)] : void 0;
}

// src/dockerfile/directive.ts
var names = /* @__PURE__ */ new Set(["syntax", "escape", "check"]);
var DirectiveReader = class {
  #comment;
  #seen = /* @__PURE__ */ new Set();
  #done = false;
  constructor(comment = "#") {
    this.#comment = comment;
  }
  /** undefined: no directive, and none will follow. The line has no line end. */
  read(line, number) {
    if (this.#done) return void 0;
    const found = line.startsWith(this.#comment) ? matchDirective(trimStart(line.slice(this.#comment.length))) : void 0;
    if (!found) {
      this.#done = true;
      return void 0;
    }
    if (this.#seen.has(found.name)) throw new LineError(`only one ${found.name} parser directive can be used`);
    this.#seen.add(found.name);
    return { ...found, line: number };
  }
};
function matchDirective(text) {
  const key = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=/.exec(text);
  const name = key?.[1]?.toLowerCase();
  if (!key || name === void 0 || !isDirectiveName(name)) return void 0;
  const value = trimBlanks(text.slice(key[0].length));
  return value === "" ? void 0 : { name, value };
}
function isDirectiveName(name) {
  return names.has(name);
}
function trimBlanks(text) {
  let end = text.length;
  while (end > 0 && isBlank(text.charAt(end - 1))) end--;
  let start = 0;
  while (start < end && isBlank(text.charAt(start))) start++;
  return text.slice(start, end);
}
function isBlank(character) {
  return isSpace2(character) && character < "\x80" && character !== "\v";
}
function findDirective(name, text) {
  const found = searchLines(name, text, "#");
  if (found || name !== "syntax") return found;
  return searchLines(name, text, "//") ?? searchJson(name, text);
}
function searchLines(name, text, comment) {
  const reader = new DirectiveReader(comment);
  let number = 0;
  for (const line of eachLine(text)) {
    number++;
    if (number === 1 && line.startsWith("#!")) continue;
    try {
      const directive = reader.read(line, number);
      if (directive === void 0 || directive.name === name) return directive;
    } catch (error) {
      if (error instanceof LineError) return void 0;
      throw error;
    }
  }
  return void 0;
}
function* eachLine(text) {
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    yield text.slice(start, end).replace(/\r$/, "");
    start = end + 1;
  }
  if (start < text.length) yield text.slice(start);
}
function searchJson(name, text) {
  if (!/^[\t\n\r ]*\{/.test(text)) return void 0;
  try {
    const value = JSON.parse(text)[name];
    return typeof value === "string" ? { name, value, line: 1 } : void 0;
  } catch {
    return void 0;
  }
}

// src/dockerfile/command.ts
function readCommand({ args, json: json2 }) {
  return json2 ? { form: "exec", args } : { form: "shell", text: args.join(" ") };
}

// src/dockerfile/suggest.ts
function suggest(word, options2, caseSensitive = true) {
  const nearest = findNearest(word, options2, caseSensitive);
  return nearest === void 0 ? void 0 : `did you mean ${nearest}?`;
}
function findNearest(word, options2, caseSensitive = true) {
  const wanted = caseSensitive ? word : word.toLowerCase();
  let best;
  let distance = 3;
  for (const option of options2) {
    const candidate = caseSensitive ? option : option.toLowerCase();
    if (candidate === wanted) return void 0;
    const away = editDistance(wanted, candidate, distance);
    if (away >= distance) continue;
    distance = away;
    best = caseSensitive ? option : likeCase(candidate, word);
  }
  return best;
}
function likeCase(option, word) {
  return word === word.toUpperCase() ? option.toUpperCase() : option;
}
function editDistance(left, right, limit) {
  if (Math.abs(left.length - right.length) >= limit) return limit;
  let before2 = [];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const change = at(row, j - 1) + (left[i - 1] === right[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      next.push(Math.min(change, at(row, j) + 1, at(next, j - 1) + 1, isSwap ? at(before2, j - 2) + 1 : limit));
    }
    before2 = row;
    row = next;
  }
  return at(row, right.length);
}
function at(row, index) {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

// src/dockerfile/flags.ts
function readFlagValues(flags2, known) {
  const texts = /* @__PURE__ */ new Map();
  const lists = /* @__PURE__ */ new Map();
  for (const flag of flags2) {
    const equals = flag.indexOf("=");
    const written = equals < 0 ? flag : flag.slice(0, equals);
    const value = equals < 0 ? void 0 : flag.slice(equals + 1);
    const name = written.slice(2);
    const type = Object.hasOwn(known, name) ? known[name] : void 0;
    if (type === void 0) {
      throw new LineError(`unknown flag: ${written}`, suggest(name, Object.keys(known)), { of: "flag", text: flag, inner: written });
    }
    if (texts.has(name))
      throw new LineError(`duplicate flag specified: ${written}`, void 0, { of: "flag", text: written, isLast: true });
    if (type === "boolean" ? value === "" : value === void 0) {
      throw new LineError(`missing a value on flag: ${written}`, void 0, { of: "flag", text: flag });
    }
    if (type === "list") lists.set(name, [...lists.get(name) ?? [], value ?? ""]);
    else texts.set(name, type === "boolean" ? readBoolean(written, value) : value ?? "");
  }
  const entries = Object.entries(known).map(([name, type]) => {
    if (type === "list") return [name, lists.get(name) ?? []];
    const text = texts.get(name);
    return [name, type === "boolean" && text !== void 0 ? text === "true" : text];
  });
  return Object.fromEntries(entries);
}
function readBoolean(flag, value) {
  const lower = value?.toLowerCase() ?? "true";
  if (lower !== "true" && lower !== "false") {
    const part = { of: "flag", text: `${flag}=${value}`, inner: value ?? "" };
    throw new LineError(`expecting boolean value for flag ${flag}, not: ${value}`, void 0, part);
  }
  return lower;
}
function exactFlag(name, value) {
  return { of: "flag", text: `${name}=${value}` };
}
function flagValue(name, value) {
  return value ? { of: "flag", text: name, inner: value } : { of: "flag", text: name };
}

// src/dockerfile/quote.ts
var named = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "	": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"'
};
var printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
function quote(text) {
  let out = "";
  for (const character of text)
    out += named[character] ?? (printable.test(character) ? character : escapeCode(character.codePointAt(0) ?? 0));
  return `"${out}"`;
}
function quoteList(texts) {
  return `[${texts.map(quote).join(" ")}]`;
}
function escapeCode(code) {
  const hex = (digits) => code.toString(16).padStart(digits, "0");
  if (code < 128) return `\\x${hex(2)}`;
  return code < 65536 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}

// src/dockerfile/duration.ts
var nanoseconds = {
  ns: 1n,
  us: 1000n,
  "\xB5s": 1000n,
  "\u03BCs": 1000n,
  ms: 1000000n,
  s: 1000000000n,
  m: 60000000000n,
  h: 3600000000000n
};
var longest = 2n ** 63n - 1n;
function parseDuration(text) {
  const invalid = new LineError(`time: invalid duration ${quote(text)}`, "write it as 30s, 1m30s or 500ms");
  const [, sign = "", amount = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (amount === "0") return 0;
  if (amount === "") throw invalid;
  let total = 0n;
  const part = /([0-9]*)(?:\.([0-9]*))?([^0-9.]*)/y;
  while (part.lastIndex < amount.length) {
    const [, whole = "", fraction = "", unit = ""] = part.exec(amount) ?? [];
    if (whole === "" && fraction === "") throw invalid;
    if (unit === "") throw new LineError(`time: missing unit in duration ${quote(text)}`, invalid.hint);
    const scale = Object.hasOwn(nanoseconds, unit) ? nanoseconds[unit] : void 0;
    if (scale === void 0) throw new LineError(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`, invalid.hint);
    const digits = fraction.slice(0, 18);
    total += BigInt(whole || "0") * scale + BigInt(digits || "0") * scale / 10n ** BigInt(digits.length);
    if (total > longest) throw invalid;
  }
  return Number(sign === "-" ? -total : total);
}

// src/dockerfile/healthcheck.ts
var minimumNs = 1e6;
var times = { interval: "interval", timeout: "timeout", "start-period": "startPeriod", "start-interval": "startInterval" };
function readHealthcheck(line) {
  const [first = "", ...args] = line.args;
  const type = first.toUpperCase();
  if (type === "NONE") {
    if (args.length > 0) throw new LineError("HEALTHCHECK NONE takes no arguments", void 0, { of: "argument", index: 1 });
    return {};
  }
  const known = { interval: "text", timeout: "text", "start-period": "text", "start-interval": "text", retries: "text" };
  const flags2 = readFlagValues(line.flags, known);
  if (type !== "CMD") throw new LineError(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`, void 0, { of: "argument", index: 0 });
  if (args.length === 0) throw new LineError("Missing command after HEALTHCHECK CMD", void 0, { of: "arguments" });
  const settings = {};
  for (const [flag, key] of Object.entries(times)) {
    const part = flagValue(`--${flag}`, flags2[flag]);
    const value = within(part, () => flags2[flag] ? parseDuration(flags2[flag]) : 0);
    if (value !== 0 && value < minimumNs) throw new LineError(`Interval ${quote(flag)} cannot be less than 1ms`, void 0, part);
    if (value !== 0) settings[key] = value;
  }
  const retries = within(flagValue("--retries", flags2.retries), () => flags2.retries ? parseRetries(flags2.retries) : 0);
  if (retries !== 0) settings.retries = retries;
  return { command: readCommand({ args, json: line.json }), ...settings };
}
function parseRetries(text) {
  const fail3 = (why) => new LineError(`strconv.ParseInt: parsing ${quote(text)}: ${why}`, "--retries takes a number");
  if (!/^[+-]?[0-9]+$/.test(text)) throw fail3("invalid syntax");
  const retries = Number(text);
  if (retries > 2147483647 || retries < -2147483648) throw fail3("value out of range");
  if (retries < 0) throw new LineError(`--retries cannot be negative (${retries})`);
  return retries;
}

// src/dockerfile/csv.ts
function parseCsv(text, what) {
  const line = text.replace(/\r?\n$/, "");
  const fail3 = (column, why) => new LineError(`failed to parse csv ${what}: parse error on line 1, column ${column + 1}: ${why}`, void 0, {
    inner: line.charAt(column),
    at: column
  });
  if (line === "") throw new LineError(`failed to parse csv ${what}: EOF`);
  const fields = [];
  let at3 = 0;
  for (; ; ) {
    if (line[at3] === '"') {
      const quoted = /"((?:[^"]|"")*)"/y;
      quoted.lastIndex = at3;
      const [whole, content = ""] = quoted.exec(line) ?? [];
      if (whole === void 0) throw fail3(line.length, 'extraneous or missing " in quoted-field');
      fields.push(content.replaceAll('""', '"'));
      at3 += whole.length;
      if (at3 < line.length && line[at3] !== ",") throw fail3(at3 - 1, 'extraneous or missing " in quoted-field');
    } else {
      const comma = line.indexOf(",", at3);
      const field = comma < 0 ? line.slice(at3) : line.slice(at3, comma);
      const quote3 = field.indexOf('"');
      if (quote3 >= 0) throw fail3(at3 + quote3, 'bare " in non-quoted-field');
      fields.push(field);
      at3 += field.length;
    }
    if (at3 >= line.length) return fields;
    at3++;
  }
}

// src/dockerfile/pattern.ts
var one2 = -1;
var many = -2;
var none = -1;
var lineFeed = 10;
var star2 = 42;
var questionMark = 63;
var backslash2 = 92;
var slash2 = 47;
var closingBrace = 125;
var maxExpansion = 16 * 1024 * 1024;
function tooLong() {
  return new LineError(`the variables come to more than ${maxExpansion} characters`);
}
function trimPrefix(pattern, value, longest2) {
  return cutPrefix(readPattern(pattern), Array.from(value), longest2).join("");
}
function trimSuffix(pattern, value, longest2) {
  return cutPrefix(readPattern(pattern).reverse(), Array.from(value).reverse(), longest2).reverse().join("");
}
function replaceMatches(pattern, value, text, all) {
  const tokens = readPattern(pattern);
  const characters = Array.from(value);
  const codes = characters.map(codeOf);
  const replacement2 = all ? readTemplate(text) : () => text;
  const parts = [];
  let length = 0;
  let lastEnd = 0;
  let from = 0;
  while (from <= codes.length) {
    const found = findMatch(tokens, codes, from);
    if (!found) break;
    parts.push(characters.slice(lastEnd, found.start).join(""));
    if (found.end > lastEnd || found.start === 0) {
      const put = replacement2(characters.slice(found.start, found.end).join(""));
      length += put.length;
      if (length > maxExpansion) throw tooLong();
      parts.push(put);
    }
    lastEnd = found.end;
    if (!all) break;
    from = Math.max(from + 1, found.end);
  }
  return parts.join("") + characters.slice(lastEnd).join("");
}
function cutPrefix(tokens, characters, longest2) {
  const walk = new Walk(tokens);
  walk.begin(0);
  let cut;
  for (let index = 0; ; index++) {
    if (walk.matched !== none) {
      cut = index;
      if (!longest2) break;
    }
    const character = characters[index];
    if (character === void 0 || walk.isOver) break;
    walk.step(codeOf(character));
  }
  return cut === void 0 ? characters : characters.slice(cut);
}
function findMatch(tokens, codes, from) {
  const walk = new Walk(tokens);
  let best;
  for (let index = from; index <= codes.length; index++) {
    if (!best) walk.begin(index);
    const origin = walk.matched;
    if (origin !== none && (!best || origin <= best.start)) {
      best = { start: origin, end: index };
      walk.dropAfter(origin);
    }
    const code = codes[index];
    if (code === void 0 || best && walk.isOver) break;
    walk.step(code);
  }
  return best;
}
var Walk = class {
  #tokens;
  /** For each number of tokens passed, where the match began. */
  #origins;
  /** The most tokens that a match in progress has passed. */
  #top = -1;
  constructor(tokens) {
    this.#tokens = tokens;
    this.#origins = new Int32Array(tokens.length + 1).fill(none);
  }
  get isOver() {
    return this.#top < 0;
  }
  /** Where the match began that has passed all tokens. */
  get matched() {
    return this.#originAt(this.#tokens.length);
  }
  begin(origin) {
    this.#offer(0, origin);
    this.#skipStars();
  }
  step(code) {
    const top = this.#top;
    this.#top = -1;
    for (let passed = top; passed >= 0; passed--) {
      const origin = this.#originAt(passed);
      if (origin === none) continue;
      const token2 = this.#tokens[passed];
      this.#origins[passed] = none;
      if (token2 === many) {
        if (code !== lineFeed) this.#offer(passed, origin);
      } else if (token2 === one2 ? code !== lineFeed : code === token2) this.#offer(passed + 1, origin);
    }
    this.#skipStars();
  }
  /** Forgets what began after a match that is complete. */
  dropAfter(origin) {
    const top = this.#top;
    this.#top = -1;
    for (let passed = 0; passed <= top; passed++) {
      if (this.#originAt(passed) > origin) this.#origins[passed] = none;
      else if (this.#originAt(passed) !== none) this.#top = passed;
    }
  }
  #originAt(passed) {
    return this.#origins[passed] ?? none;
  }
  #offer(passed, origin) {
    const known = this.#originAt(passed);
    if (known === none || origin < known) this.#origins[passed] = origin;
    if (passed > this.#top) this.#top = passed;
  }
  #skipStars() {
    for (let passed = 0; passed <= this.#top; passed++) {
      const origin = this.#originAt(passed);
      if (origin !== none && this.#tokens[passed] === many) this.#offer(passed + 1, origin);
    }
  }
};
function codeOf(character) {
  return character.codePointAt(0) ?? 0;
}
function readPattern(pattern) {
  const tokens = new Int32Array(pattern.length);
  let count = 0;
  for (let index = 0; index < pattern.length; index++) {
    let literal = pattern.codePointAt(index) ?? 0;
    if (literal === star2 || literal === questionMark) {
      const isRepeated = literal === star2 && count > 0 && tokens[count - 1] === many;
      if (!isRepeated) tokens[count++] = literal === star2 ? many : one2;
      continue;
    }
    if (literal === backslash2) {
      const escaped = pattern.codePointAt(index + 1);
      if (escaped === closingBrace || escaped === slash2) continue;
      if (escaped !== star2 && escaped !== questionMark && escaped !== backslash2) {
        const shown = escaped === void 0 ? "" : String.fromCodePoint(escaped);
        throw new LineError(`invalid pattern (${pattern}) in substitution: invalid escape '\\${shown}'`);
      }
      literal = escaped;
      index++;
    }
    if (literal > 65535) index++;
    tokens[count++] = literal;
  }
  return tokens.subarray(0, count);
}
function readTemplate(template) {
  const parts = template.split(/(\$(?:\$|\{[\p{L}\p{Nd}_]+\}|[\p{L}\p{Nd}_]+))/u).flatMap((part, i) => {
    if (i % 2 === 0) return [part];
    if (part === "$$") return ["$"];
    return part === "$0" || part === "${0}" ? [void 0] : [];
  });
  if (!parts.includes(void 0)) {
    const text = parts.join("");
    return () => text;
  }
  return (match) => parts.map((part) => part ?? match).join("");
}

// src/dockerfile/expand.ts
function expandWord(word, variables, missing) {
  return expand(word, variables, {}, missing).text;
}
function expandWords(word, variables, missing) {
  return expand(word, variables, { split: true }, missing).words;
}
function expandBody(body, variables, missing) {
  return expand(body, { get: (name) => variables.get(name), escape: "\\" }, { ignoreQuotes: true }, missing).text;
}
function splitWords(text, treatment) {
  return expand(text, { get: () => void 0, escape: "\\" }, { ...treatment, keepUnset: true, split: true }).words;
}
function expand(word, variables, treatment, missing) {
  const lexer = new Lexer(word, variables, treatment, missing);
  try {
    return lexer.read(void 0, treatment.keepEscapes ?? false);
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    const shown = word.length > mostShown ? `${quote(word.slice(0, mostShown))}\u2026` : quote(word);
    throw new LineError(`failed to process ${shown}: ${error.message}`, error.hint, error.part);
  }
}
var nameCharacter = /^[\p{L}\p{Nd}_]$/u;
var digit = new RegExp("^\\p{Nd}$", "u");
var specialParameters = "@*#?-$!";
var mostShown = 1e3;
var maxDepth = 500;
var Lexer = class {
  #characters;
  #variables;
  #treatment;
  #missing;
  #next = 0;
  #depth = 0;
  /** Of all values so far. */
  #length = 0;
  #keepEscapes = false;
  /** The word begun so far. BuildKit has one for all nesting levels: `80${X:-81}` loses its `80` when split into words, but not as one word. */
  #begun = "";
  constructor(text, variables, treatment, missing) {
    this.#characters = Array.from(text);
    this.#variables = variables;
    this.#treatment = treatment;
    this.#missing = missing;
  }
  #peek() {
    return this.#characters[this.#next];
  }
  #take() {
    return this.#characters[this.#next++];
  }
  /** Reads up to and with `stop`, or to the end. */
  read(stop, keepEscapes) {
    const outer = this.#keepEscapes;
    this.#keepEscapes = keepEscapes;
    if (++this.#depth > maxDepth) throw new LineError("substitutions are nested too deeply");
    try {
      return this.#readPlain(stop);
    } finally {
      this.#keepEscapes = outer;
      this.#depth--;
    }
  }
  #readPlain(stop) {
    let text = "";
    const words = [];
    let inWord = false;
    this.#begun = "";
    const isSplit = this.#treatment.split === true;
    const addRaw = (part) => {
      if (!isSplit) return;
      this.#begun += part;
      inWord = true;
    };
    const endWord = () => {
      if (!inWord || this.#begun === "") return;
      words.push(this.#begun);
      this.#begun = "";
      inWord = false;
    };
    const addSplit = (value) => {
      let isFirst = true;
      for (const part of splitSpaces(value)) {
        if (!isFirst) endWord();
        isFirst = false;
        if (part !== "") addRaw(part);
      }
    };
    const finish = () => {
      if (this.#begun !== "") words.push(this.#begun);
      this.#begun = "";
      return { text, words };
    };
    for (let character = this.#peek(); character !== void 0; character = this.#peek()) {
      if (character === stop) {
        this.#take();
        return finish();
      }
      if (character === "$") {
        const value = this.#readDollar();
        text += value;
        if (isSplit) addSplit(value);
        continue;
      }
      const special = this.#readSpecial(character);
      if (special !== void 0) {
        text += special;
        addRaw(special);
        continue;
      }
      this.#take();
      if (character !== this.#variables.escape) {
        if (isSpace2(character)) endWord();
        else addRaw(character);
        text += character;
        continue;
      }
      if (this.#keepEscapes) {
        addRaw(character);
        text += character;
      }
      const escaped = this.#take();
      if (escaped === void 0) break;
      addRaw(escaped);
      text += escaped;
    }
    if (stop !== void 0) throw new LineError(`unexpected end of statement while looking for matching ${stop}`);
    return finish();
  }
  /** What begins with a quote or `<`, whose white space does not split words. */
  #readSpecial(character) {
    if (character === "<") return this.#readLess();
    if (this.#treatment.ignoreQuotes) return void 0;
    if (character === "'") return this.#within(() => this.#readSingleQuoted());
    return character === '"' ? this.#within(() => this.#readDoubleQuoted()) : void 0;
  }
  /** The delimiter of a heredoc may stand apart from its `<<`. */
  #readLess() {
    this.#take();
    if (this.#peek() !== "<") return "<";
    this.#take();
    let text = "<<";
    for (let next = this.#peek(); next === " " || next === "	" || next === "\r"; next = this.#peek()) text += this.#take();
    return text;
  }
  /** An error is one of the characters that are read here, or of fewer. */
  #within(read) {
    const start = this.#next;
    try {
      return read();
    } catch (error) {
      if (error instanceof LineError && error.part.inner === void 0) {
        const [before2, inner] = [this.#characters.slice(0, start), this.#characters.slice(start, this.#next)].map((part) => part.join(""));
        error.part = { inner: inner ?? "", at: before2?.length ?? 0 };
      }
      throw error;
    }
  }
  #takeQuote() {
    const mark = this.#take() ?? "";
    return this.#treatment.keepQuotes ? mark : "";
  }
  #readSingleQuoted() {
    const mark = this.#takeQuote();
    let text = "";
    for (let character = this.#take(); character !== "'"; character = this.#take()) {
      if (character === void 0) throw new LineError("unexpected end of statement while looking for matching single-quote");
      text += character;
    }
    return `${mark}${text}${mark}`;
  }
  #readDoubleQuoted() {
    const mark = this.#takeQuote();
    let text = "";
    for (; ; ) {
      const character = this.#peek();
      if (character === void 0) throw new LineError("unexpected end of statement while looking for matching double-quote");
      if (character === "$") {
        text += this.#readDollar();
        continue;
      }
      this.#take();
      if (character === '"') return `${mark}${text}${mark}`;
      if (character !== this.#variables.escape) {
        text += character;
        continue;
      }
      if (this.#keepEscapes) text += character;
      const escaped = this.#peek();
      if (escaped === void 0) continue;
      text += escaped === '"' || escaped === "$" || escaped === this.#variables.escape ? this.#take() : character;
    }
  }
  #readDollar() {
    const value = this.#within(() => this.#readReference());
    this.#length += value.length;
    if (this.#length > maxExpansion) throw tooLong();
    return value;
  }
  #readReference() {
    this.#take();
    if (this.#peek() === "{") {
      this.#take();
      return this.#readBraced();
    }
    const name = this.#readName();
    if (name === "") return "$";
    return this.#lookUp(name) ?? (this.#treatment.keepUnset ? `$${name}` : "");
  }
  #readBraced() {
    const first = this.#peek();
    if (first === void 0) throw new LineError("syntax error: missing '}'");
    if (first === "{" || first === "}" || first === ":") throw new LineError("syntax error: bad substitution");
    const name = this.#readName();
    const sign = this.#take();
    switch (sign) {
      case void 0:
        throw new LineError("syntax error: missing '}'");
      case "}":
        return this.#lookUp(name) ?? (this.#treatment.keepUnset ? `\${${name}}` : "");
      case ":":
        return this.#readModified(name, this.#take(), true);
      case "/":
        return this.#readReplaced(name);
      default:
        return this.#readModified(name, sign, false);
    }
  }
  #readModified(name, modifier, emptyIsUnset) {
    const sign = `${emptyIsUnset ? ":" : ""}${modifier ?? ""}`;
    const isTrim = modifier === "#" || modifier === "%";
    if (modifier === void 0) throw new LineError("syntax error: missing '}'");
    if (isTrim && emptyIsUnset || !"-+?#%".includes(modifier)) throw new LineError(`unsupported modifier (${sign}) in substitution`);
    const word = this.#readOperand("}", isTrim, "syntax error: missing '}'");
    const value = this.#lookUp(name);
    if (value === void 0 && this.#treatment.keepUnset) return `\${${name}${sign}${word}}`;
    const given2 = value !== void 0 && !(emptyIsUnset && value === "");
    switch (modifier) {
      case "-":
        return given2 ? value : word;
      case "+":
        return given2 ? word : "";
      case "?": {
        if (given2) return value;
        throw new LineError(`${name}: ${word || `is not allowed to be ${value === void 0 ? "unset" : "empty"}`}`);
      }
      default: {
        const longest2 = word.startsWith(modifier);
        const pattern = longest2 ? word.slice(1) : word;
        return modifier === "#" ? trimPrefix(pattern, value ?? "", longest2) : trimSuffix(pattern, value ?? "", longest2);
      }
    }
  }
  #readReplaced(name) {
    const all = this.#peek() === "/";
    if (all) this.#take();
    const pattern = this.#readOperand("/", true, `syntax error: missing '/' in \${}`);
    const text = this.#readOperand("}", true, "syntax error: missing '}'");
    const value = this.#lookUp(name);
    if (value === void 0 && this.#treatment.keepUnset) return `\${${name}/${pattern}/${text}}`;
    return replaceMatches(pattern, value ?? "", text, all);
  }
  #readOperand(stop, keepEscapes, unfinished) {
    try {
      return this.read(stop, keepEscapes).text;
    } catch (error) {
      if (error instanceof LineError && this.#peek() === void 0) throw new LineError(unfinished, void 0, error.part);
      throw error;
    }
  }
  /** A name, a number, or one special parameter; empty where none stands. */
  #readName() {
    const first = this.#peek();
    if (first !== void 0 && specialParameters.includes(first)) {
      this.#take();
      return first;
    }
    const allowed = first !== void 0 && digit.test(first) ? digit : nameCharacter;
    let name = "";
    for (let next = first; next !== void 0 && allowed.test(next); next = this.#peek()) {
      name += next;
      this.#take();
    }
    return name;
  }
  #lookUp(name) {
    const value = this.#variables.get(name);
    if (value === void 0) this.#missing?.add(name);
    return value;
  }
};

// src/dockerfile/heredoc.ts
function readHeredocMark(word) {
  const sign = /^(\d*)<<(-?)[\t\n\f\r ]*/.exec(word);
  const rest = sign ? word.slice(sign[0].length) : "";
  if (!sign || rest === "" || rest.includes("<")) return void 0;
  const bare = splitWords(rest, {});
  const [name] = bare;
  if (name === void 0 || bare.length !== 1) return void 0;
  const quoted = splitWords(rest, { keepQuotes: true });
  if (quoted.length !== 1) throw new LineError(`internal lexing of heredoc produced inconsistent results: ${rest}`);
  return { name, descriptor: Number(sign[1] ?? 0), expand: countQuotes(name) === countQuotes(quoted[0] ?? ""), chomp: sign[2] === "-" };
}
function findHeredocMark(word) {
  try {
    return readHeredocMark(word);
  } catch (error) {
    if (error instanceof LineError) return void 0;
    throw error;
  }
}
function findHeredocs(line) {
  let words;
  try {
    words = splitWords(line, { keepQuotes: true, keepEscapes: true });
  } catch (error) {
    if (error instanceof LineError) return [];
    throw error;
  }
  return words.map(readHeredocMark).filter((mark) => mark !== void 0);
}
function heredocBody(heredoc) {
  return heredoc.chomp ? heredoc.content.replace(/^\t+/gm, "") : heredoc.content;
}
function countQuotes(text) {
  return text.split(/['"]/).length - 1;
}

// src/dockerfile/scalar.ts
function parseBoolean(text, key) {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw new LineError(`invalid value for ${key}: ${text}`);
}
function parseUnsigned(text, base, refusal) {
  const digits = base === 8 ? /^[0-7]+$/ : /^[0-9]+$/;
  const number = digits.test(text) ? Number.parseInt(text, base) : Number.NaN;
  if (!(number < 2 ** 32)) throw new LineError(refusal);
  return number;
}
function parseBytes(text, key) {
  const [, number = "", unit = ""] = /^(\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?) ?((?:[kmgtp](?:i?b)?|b)?)$/i.exec(text) ?? [];
  if (number === "") throw new LineError(`invalid value for ${key}: ${text}`, "write it as 64m or 1g");
  const power = "bkmgtp".indexOf((unit[0] ?? "b").toLowerCase());
  const bytes = Math.trunc(Number(number) * 1024 ** power);
  if (bytes > Number.MAX_SAFE_INTEGER) throw new LineError(`invalid value for ${key}: ${text}`, "it is too large");
  return bytes;
}

// src/dockerfile/mount.ts
var types = ["bind", "cache", "tmpfs", "secret", "ssh"];
var sharings = ["shared", "private", "locked"];
var keys2 = [
  ...["type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid", "gid"],
  ...["src", "dst", "destination", "ro", "rw", "readwrite", "env"]
];
function readMountFlag(text) {
  const fields = parseCsv(text, "mounts").map((field) => {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    return { key, text: field, ...equals < 0 ? {} : { value: field.slice(equals + 1) } };
  });
  const from = fields.findLast(({ key, value }) => key === "from" && value !== void 0)?.value;
  for (const { key, value } of fields) {
    if (key === "from" && value !== void 0 && /\$./s.test(value)) {
      throw new LineError("'from' doesn't support variable expansion, define alias stage instead", void 0, { inner: value });
    }
  }
  return { text, fields, ...from === void 0 ? {} : { from } };
}
function readMount(flag, expand2) {
  const mount = { type: "bind", readonly: false, required: false };
  let writable;
  for (const field of flag.fields) {
    const { key, value, text } = field;
    inField(text, () => {
      if (key === "readonly" || key === "ro" || key === "readwrite" || key === "rw") {
        const is = value === void 0 || parseBoolean(expand2(value), key);
        writable = key.startsWith("readw") || key === "rw" ? is : !is;
      } else if (key === "required") {
        if (mount.type !== "secret" && mount.type !== "ssh")
          throw new LineError(`unexpected key 'required' for mount type '${mount.type}'`);
        mount.required = value === void 0 || parseBoolean(expand2(value), key);
      } else if (value === void 0) {
        throw new LineError(`invalid field '${text}' must be a key=value pair`);
      } else {
        setField(mount, key, expand2(value), text);
      }
    });
  }
  mount.readonly = !(writable ?? (mount.type === "cache" || mount.type === "tmpfs"));
  checkMount(mount, flag);
  return mount;
}
function inField(text, action) {
  try {
    action();
  } catch (error) {
    if (error instanceof LineError) error.part = { inner: error.part.inner ?? text };
    throw error;
  }
}
function setField(mount, key, value, text) {
  switch (key) {
    case "type":
      mount.type = choose2(value, types, `unsupported mount type ${quote(value)}`);
      return;
    case "from":
    case "id":
    case "env":
    case "source":
    case "target":
      mount[key] = value;
      return;
    case "src":
      mount.source = value;
      return;
    case "dst":
    case "destination":
      mount.target = value;
      return;
    case "sharing":
      mount.sharing = choose2(value, sharings, `unsupported sharing value ${quote(value)}`);
      return;
    case "mode":
    case "uid":
    case "gid":
      mount[key] = parseUnsigned(value, key === "mode" ? 8 : 10, `invalid value ${value} for ${key}`);
      return;
    case "size":
      if (mount.type !== "tmpfs") throw new LineError(`unexpected key 'size' for mount type '${mount.type}'`);
      mount.size = parseBytes(value, key);
      return;
    default:
      throw new LineError(`unexpected key '${key}' in '${text}'`, suggest(key, keys2));
  }
}
function choose2(value, options2, refusal) {
  const found = options2.find((option) => option === value.toLowerCase());
  if (found === void 0) throw new LineError(refusal, suggest(value, options2));
  return found;
}
function checkMount(mount, { fields }) {
  const fail3 = (reason, ...wrong) => {
    const field = fields.findLast(({ key }) => wrong.includes(key));
    throw new LineError(reason, void 0, field === void 0 ? {} : { inner: field.text });
  };
  if (mount.type === "bind" || mount.type === "tmpfs") {
    for (const key of ["mode", "uid", "gid"]) {
      if (mount[key] !== void 0) fail3(`${key} not allowed for ${quote(mount.type)} type mounts`, key);
    }
  }
  if (mount.type === "secret") {
    if (mount.from) fail3("secret mount should not have a from", "from");
    if (mount.sharing) fail3("secret mount should not define sharing", "sharing");
    if (!mount.source && !mount.target && !mount.id) fail3("invalid secret mount. one of source, target required");
    if (mount.source && mount.id) fail3("both source and id can't be set", "source", "src");
  }
  if (mount.sharing && mount.type !== "cache") fail3(`invalid cache sharing set for ${mount.type} mount`, "sharing");
}

// src/dockerfile/run.ts
var networks = ["default", "none", "host"];
var securities = ["sandbox", "insecure"];
function readRun(node) {
  const flags2 = readFlagValues(node.flags, { mount: "list", network: "text", security: "text", device: "list" });
  const network = networks.find((known) => known === (flags2.network ?? "default"));
  if (network === void 0)
    throw new LineError(
      `invalid network mode ${quote(flags2.network ?? "")}`,
      suggest(flags2.network ?? "", networks),
      flagValue("--network", flags2.network)
    );
  const security = securities.find((known) => known === (flags2.security ?? "sandbox"));
  if (security === void 0)
    throw new LineError(
      `security ${quote(flags2.security ?? "")} is not valid`,
      suggest(flags2.security ?? "", securities),
      flagValue("--security", flags2.security)
    );
  const mounts = flags2.mount.map((text) => within(exactFlag("--mount", text), () => readMountFlag(text)));
  const devices = flags2.device.map((text) => within(exactFlag("--device", text), () => readDevice(text)));
  return { command: readCommand(node), heredocs: node.heredocs, mounts, network, security, devices };
}
function readDevice(text) {
  let name = "";
  let required = false;
  for (const field of parseCsv(text, "devices")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? void 0 : field.slice(equals + 1);
    if (key === "required") required = value === void 0 || parseBoolean(value, key);
    else if (key === "name" && value !== void 0) {
      if (name !== "") throw new LineError(`device name already set to ${name}`, void 0, { inner: field });
      name = value;
    } else if (name === "") name = field;
    else if (value === void 0) throw new LineError(`invalid field '${field}' must be a key=value pair`, void 0, { inner: field });
    else throw new LineError(`unexpected key '${key}' in '${field}'`, suggest(key, ["name", "required"]), { inner: field });
  }
  return { name, required };
}
function readScript(run2) {
  const { command, heredocs } = run2;
  const [first] = heredocs;
  if (command.form === "exec" || first === void 0) return { command };
  if (!findHeredocMark(command.text)) {
    return { command: { form: "shell", text: command.text + heredocs.map(({ content: content2, name }) => `
${content2}${name}`).join("") } };
  }
  const content = heredocBody(first);
  if (!content.startsWith("#!")) return { command: { form: "shell", text: content } };
  const path14 = `/dev/pipes/${first.name}`;
  return { command: { form: "shell", text: path14 }, file: { path: path14, content } };
}

// src/dockerfile/transfer.ts
var shared = { chown: "text", chmod: "text", link: "boolean", exclude: "list" };
function readCopy(node, token2) {
  requireDestination(node);
  const flags2 = readFlagValues(node.flags, { ...shared, from: "text", parents: "boolean" });
  const paths = readPaths(node);
  if (flags2.from) within(flagValue("--from", flags2.from), () => refuseVariables(flags2.from ?? "", token2));
  return { ...paths, ...pickShared(flags2), ...flags2.from ? { from: flags2.from } : {}, parents: flags2.parents ?? false };
}
function readAdd(node) {
  requireDestination(node);
  const flags2 = readFlagValues(node.flags, { ...shared, checksum: "text", "keep-git-dir": "boolean", unpack: "boolean" });
  const { checksum, "keep-git-dir": keepGitDir, unpack: unpack2 } = flags2;
  return {
    ...readPaths(node),
    ...pickShared(flags2),
    ...checksum ? { checksum } : {},
    ...keepGitDir === void 0 ? {} : { keepGitDir },
    ...unpack2 === void 0 ? {} : { unpack: unpack2 }
  };
}
function pickShared(flags2) {
  const { chown, chmod: chmod3, link: link3, exclude } = flags2;
  return { ...chown ? { chown } : {}, ...chmod3 ? { chmod: chmod3 } : {}, link: link3 ?? false, exclude };
}
function requireDestination(node) {
  if (node.args.length >= 2) return;
  const word = node.word.toUpperCase();
  throw new LineError(
    `${word} requires at least two arguments, but only one was provided. Destination could not be determined`,
    void 0,
    { of: "arguments" }
  );
}
function readPaths(node) {
  const destination = node.args.at(-1) ?? "";
  if (findHeredocMark(destination))
    throw new LineError(`${node.word.toUpperCase()} cannot accept a heredoc as a destination`, void 0, { of: "last argument" });
  const sources = [];
  const contents = [];
  for (const word of node.args.slice(0, -1)) {
    const mark = findHeredocMark(word);
    if (!mark) {
      sources.push(word);
      continue;
    }
    const content = node.heredocs.findLast(({ name }) => name === mark.name)?.content ?? "";
    contents.push({ name: mark.name, content: heredocBody({ ...mark, content }), expand: mark.expand });
  }
  return { sources, contents, destination };
}
function refuseVariables(from, token2) {
  if (expandWord(from, { get: () => void 0, escape: token2 }) === from) return;
  throw new LineError(
    "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
    void 0,
    flagValue("--from", from)
  );
}

// src/dockerfile/interpret.ts
var kinds = [
  ...["add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck", "label", "maintainer"],
  ...["onbuild", "run", "shell", "stopsignal", "user", "volume", "workdir"]
];
function readInstruction(node, token2) {
  const { range, word, comments } = node;
  const written = { range, text: trim2(node.original), word, comments };
  const kind = kinds.find((known) => known === word.toLowerCase());
  switch (kind) {
    case void 0:
      throw new LineError(`unknown instruction: ${word}`, suggest(word, kinds, false), { of: "word" });
    case "from":
      return { kind, ...written, ...readFrom(node) };
    case "arg":
      return { kind, ...written, args: readArgs(atLeastOne(node)) };
    case "env":
    case "label":
      return { kind, ...written, ...readPairs(node) };
    case "run":
      return { kind, ...written, ...readRun(node) };
    case "copy":
      return { kind, ...written, ...readCopy(node, token2) };
    case "add":
      return { kind, ...written, ...readAdd(node) };
    case "cmd":
    case "entrypoint":
      refuseFlags(node);
      return { kind, ...written, command: readCommand(node) };
    case "workdir":
      return { kind, ...written, path: exactlyOne(node) };
    case "user":
      return { kind, ...written, user: exactlyOne(node) };
    case "maintainer":
      return { kind, ...written, name: exactlyOne(node) };
    case "stopsignal":
      return { kind, ...written, signal: onlyOne(node) };
    case "expose":
      return { kind, ...written, ports: [...atLeastOne(node, refuseFlags).args].sort(compareBytes) };
    case "volume":
      return { kind, ...written, paths: readVolumes(atLeastOne(node, refuseFlags)) };
    case "healthcheck":
      return { kind, ...written, ...readHealthcheck(atLeastOne(node)) };
    case "shell":
      return { kind, ...written, args: readShell(node) };
    case "onbuild":
      return { kind, ...written, trigger: readTrigger(node) };
  }
}
function readFrom(node) {
  const [image = "", as = "", stage = ""] = node.args;
  if (node.args.length !== 1 && !(node.args.length === 3 && as.toLowerCase() === "as")) {
    const index = node.args.length > 1 && as.toLowerCase() !== "as" ? 1 : node.args.length > 3 ? 3 : 0;
    const part = node.args.length === 0 ? {} : { of: "argument", index };
    throw new LineError("FROM requires either one or three arguments", "FROM image, or FROM image AS name", part);
  }
  const named2 = node.args.length === 3;
  const name = stage.toLowerCase();
  if (named2 && !/^[a-z][a-z0-9\-_.]*$/.test(name)) {
    const reason = `invalid name for build stage: ${quote(stage)}, name can't start with a number or contain symbols`;
    throw new LineError(reason, void 0, { of: "argument", index: 2 });
  }
  const { platform } = readFlagValues(node.flags, { platform: "text" });
  return { image, ...platform ? { platform } : {}, ...named2 ? { stage: name, as: { word: as, stage } } : {} };
}
function readArgs(node) {
  return node.args.map((word, index) => {
    const equals = word.indexOf("=");
    if (equals === 0) throw new LineError("ARG names can not be blank", void 0, { of: "argument", index });
    return equals < 0 ? { name: word } : { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}
function readPairs(node) {
  refuseFlags(node);
  atLeastOne(node);
  const pairs = [];
  for (let index = 0; index < node.args.length; index += 3) {
    const [key = "", value = ""] = node.args.slice(index, index + 2);
    if (key === "")
      throw new LineError(`${node.word.toUpperCase()} names can not be blank`, void 0, { of: "argument", index: index / 3 });
    pairs.push({ key, value });
  }
  return { pairs, legacy: node.args[2] === "" };
}
function readVolumes(node) {
  const paths = node.args.map(trim2);
  const blank = paths.indexOf("");
  if (blank >= 0) throw new LineError("VOLUME specified can not be an empty string", void 0, { of: "argument", index: blank });
  return paths;
}
function readShell(node) {
  refuseFlags(node);
  if (node.args.length === 0) throw new LineError("SHELL requires at least one argument");
  if (!node.json) throw new LineError("SHELL requires the arguments to be in JSON form", 'SHELL ["/bin/bash", "-c"]', { of: "arguments" });
  return node.args;
}
function readTrigger(node) {
  const [first = ""] = atLeastOne(node).args;
  refuseFlags(node);
  const word = first.toUpperCase();
  if (word === "ONBUILD") throw new LineError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", void 0, { inner: first });
  if (word === "FROM" || word === "MAINTAINER") {
    throw new LineError(`${word} isn't allowed as an ONBUILD trigger`, void 0, { of: "word" });
  }
  const text = node.original.replace(/^[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*/i, "");
  return text + node.heredocs.map(({ content, name }) => `
${content}${name}`).join("");
}
function refuseFlags(node) {
  readFlagValues(node.flags, {});
}
function onlyOne(node) {
  const [only] = node.args;
  if (only === void 0 || node.args.length > 1) {
    throw new LineError(`${node.word.toUpperCase()} requires exactly one argument`, void 0, { of: "arguments" });
  }
  return only;
}
function exactlyOne(node) {
  const only = onlyOne(node);
  refuseFlags(node);
  return only;
}
function atLeastOne(node, check2) {
  if (node.args.length === 0) throw new LineError(`${node.word.toUpperCase()} requires at least one argument`);
  check2?.(node);
  return node;
}
function compareBytes(left, right) {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

// src/dockerfile/join.ts
function joinLines(first, lines, token2) {
  const begun = trimStart(trimLineEnd(first));
  const start = { line: lines.taken, column: first.length - trimStart(first).length + 1 };
  const pieces = [{ at: 0, position: start }];
  let { text, continues } = cutContinuation(begun, token2);
  let hasGap = false;
  while (continues) {
    const next = lines.take();
    if (next === void 0) break;
    const line = trimLineEnd(next);
    const content = trimStart(line);
    if (content.startsWith("#")) continue;
    if (content === "") {
      hasGap = true;
      continue;
    }
    const piece = cutContinuation(line, token2);
    pieces.push({ at: text.length, position: { line: lines.taken, column: 1 } });
    text += piece.text;
    continues = piece.continues;
  }
  return { text, pieces, hasGap };
}
function positionAt({ pieces }, offset) {
  const piece = pieces.findLast(({ at: at3 }) => at3 <= offset) ?? pieces[0];
  if (piece === void 0) return { line: 1, column: 1 };
  return { line: piece.position.line, column: piece.position.column + offset - piece.at };
}
function cutContinuation(line, token2) {
  let end = line.length;
  while (end > 0 && (line[end - 1] === " " || line[end - 1] === "	")) end--;
  const continues = line[end - 1] === token2 && line[end - 2] !== token2;
  return { text: continues ? line.slice(0, end - 1) : line, continues };
}
function trimLineEnd(line) {
  let end = line.length;
  while (end > 0 && (line[end - 1] === "\n" || line[end - 1] === "\r")) end--;
  return line.slice(0, end);
}

// src/dockerfile/line.ts
function readLine(text, token2) {
  const trimmed = trim2(text);
  const [word, rest] = cutBlanks(trimmed) ?? [trimmed, ""];
  const { flags: flags2, end } = findFlags(rest, token2);
  const args = rest.slice(end);
  return { word, flags: flags2.map(({ text: text2 }) => text2), ...readArguments(word.toLowerCase(), trim2(args), token2) };
}
function readArguments(instruction, rest, token2) {
  switch (instruction) {
    case "add":
    case "copy":
    case "volume":
      return readJson(rest) ?? plain(rest === "" ? [] : splitBlanks(rest));
    case "cmd":
    case "entrypoint":
    case "run":
    case "shell":
      return readJson(rest) ?? plain(rest === "" ? [] : [rest]);
    case "expose":
    case "from":
      return plain(rest === "" ? [] : splitBlanks(rest));
    case "maintainer":
    case "stopsignal":
    case "user":
    case "workdir":
      return plain(rest === "" ? [] : [rest]);
    case "arg":
      return plain(findQuoted(rest, token2).map(({ text }) => text));
    case "env":
    case "label":
      return plain(readPairs2(rest, instruction.toUpperCase(), token2));
    case "healthcheck":
      return readHealthcheck2(rest);
    case "onbuild":
      return rest === "" ? plain([]) : readTrigger2(rest, token2);
    default:
      return plain([""]);
  }
}
function plain(args) {
  return { args, json: false };
}
function readTrigger2(rest, token2) {
  const [word = ""] = splitBlanks(rest);
  if (word.toLowerCase() === "onbuild") return plain([word]);
  const trigger = readLine(rest, token2);
  return { args: [trigger.word, ...trigger.args], json: trigger.json, trigger };
}
function readJson(text) {
  const array = trimStart(text);
  if (!array.startsWith("[")) return void 0;
  let value;
  try {
    value = JSON.parse(array);
  } catch {
    return void 0;
  }
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw new LineError("when using JSON array syntax, arrays must be comprised of strings only", void 0, { of: "arguments" });
  }
  return { args: value.map((item) => item.toWellFormed()), json: true };
}
function readHealthcheck2(rest) {
  let end = 0;
  while (end < rest.length && !isSpace2(rest.charAt(end))) end++;
  if (end === 0) return plain([]);
  const type = rest.slice(0, end);
  const command = trimStart(rest.slice(end));
  const { args, json: json2 } = readJson(command) ?? plain(command === "" ? [] : [command]);
  return { args: [type, ...args], json: json2 };
}
function readPairs2(rest, instruction, token2) {
  const words = findQuoted(rest, token2).map(({ text }) => text);
  const [first] = words;
  if (first === void 0) return [];
  if (!first.includes("=")) {
    const pair = cutBlanks(rest);
    if (!pair) throw new LineError(`${instruction} must have two arguments`, void 0, { of: "arguments" });
    return [...pair, ""];
  }
  return words.flatMap((word, index) => {
    const equals = word.indexOf("=");
    if (equals < 0)
      throw new LineError(`Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`, void 0, {
        of: "argument",
        index
      });
    return [word.slice(0, equals), word.slice(equals + 1), "="];
  });
}
function findQuoted(text, token2) {
  const words = [];
  let start;
  let open5 = "";
  const add = (end) => {
    if (start !== void 0) words.push({ text: text.slice(start, end), start, end });
    start = void 0;
  };
  for (let index = 0; index < text.length; index++) {
    const first = index;
    const character = text.charAt(index);
    if (open5 === "" && isSpace2(character)) {
      add(index);
      continue;
    }
    if (open5 === "" && (character === "'" || character === '"')) open5 = character;
    else if (open5 !== "" && character === open5) open5 = "";
    else if (character === token2 && open5 !== "'" && ++index === text.length) {
      add(first);
      return words;
    }
    start ??= first;
  }
  add(text.length);
  return words;
}
function findFlags(text, token2) {
  const flags2 = [];
  let index = 0;
  for (; ; ) {
    while (index < text.length && isSpace2(text.charAt(index))) index++;
    if (!text.startsWith("--", index)) return { flags: flags2, end: index };
    const start = index;
    let flag = "";
    let open5 = "";
    for (; index < text.length && (open5 !== "" || !isSpace2(text.charAt(index))); index++) {
      const character = text.charAt(index);
      if (character === open5) open5 = "";
      else if (open5 === "" && (character === "'" || character === '"')) open5 = character;
      else if (character === token2) flag += text.charAt(++index);
      else flag += character;
    }
    if (flag === "--") return { flags: flags2, end: Math.min(index, text.length) };
    flags2.push({ text: flag, start, end: Math.min(index, text.length) });
  }
}

// src/dockerfile/locate.ts
function locateErrors({ file, source }, instruction, action) {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    const exact = source === void 0 ? void 0 : locatePart(source, instruction.start.line, error.part);
    throw new DockerfileError(error.message, { file, range: exact ?? instruction, instruction, hint: error.hint, cause: error });
  }
}
function locatePart(source, line, part) {
  if (part.of === void 0 && part.inner === void 0) return void 0;
  const lines = new Lines(source, line);
  const first = lines.take();
  if (first === void 0) return void 0;
  const token2 = readToken(source);
  const joined = joinLines(first, lines, token2);
  if (part.of === "heredoc") return locateBody(lines, joined, part);
  const found = part.of === void 0 ? findText(joined.text, part.inner) : findPart(joined.text, 0, token2, part);
  if (found === void 0) return void 0;
  const end = positionAt(joined, Math.max(found.start, found.end - 1));
  return { start: positionAt(joined, found.start), end: found.end > found.start ? { line: end.line, column: end.column + 1 } : end };
}
var Lines = class {
  #lines;
  taken;
  constructor(source, line) {
    this.#lines = source.replace(/^\uFEFF/, "").split("\n");
    this.taken = line - 1;
  }
  take() {
    const line = this.#lines[this.taken];
    if (line !== void 0) this.taken++;
    return line;
  }
};
function readToken(source) {
  const reader = new DirectiveReader();
  const lines = new Lines(source, 1);
  for (let line = lines.take(); line !== void 0; line = lines.take()) {
    let directive;
    try {
      directive = reader.read(trimStart(trimLineEnd(line)), lines.taken);
    } catch {
      break;
    }
    if (directive === void 0) break;
    if (directive.name === "escape" && directive.value === "`") return "`";
  }
  return "\\";
}
function findText(text, wanted = "") {
  const start = text.indexOf(wanted);
  return wanted === "" || start < 0 ? void 0 : { start, end: start + wanted.length };
}
function findPart(text, base, token2, part) {
  const rest = text.slice(base);
  const start = base + rest.length - trimStart(rest).length;
  const word = /^[^\t\v\f\r ]*/.exec(text.slice(start))?.[0] ?? "";
  const after = start + word.length;
  const tail = trimStart(text.slice(after));
  if (word.toLowerCase() === "onbuild" && tail !== "" && !tail.startsWith("--")) return findPart(text, after, token2, part);
  if (part.of === "word") return { start, end: after };
  const { flags: flags2, end } = findFlags(text.slice(after), token2);
  if (part.of === "flag")
    return findFlag(
      text,
      flags2.map((flag) => shift(flag, after)),
      part
    );
  const written = text.slice(after + end);
  const first = after + end + written.length - trimStart(written).length;
  const whole = { text: trim2(written), start: first, end: first + trim2(written).length };
  if (whole.text === "") return void 0;
  if (part.of === "arguments") return narrow(text, whole, part, 0);
  const found = findArgument(word.toLowerCase(), whole, token2, part);
  return found && narrow(text, found, part, 0);
}
function shift({ text, start, end }, by) {
  return { text, start: start + by, end: end + by };
}
function findFlag(text, flags2, part) {
  const wanted = part.text ?? "";
  const name = wanted.split("=", 1)[0];
  const named2 = flags2.filter((flag) => flag.text.split("=", 1)[0] === name);
  const { inner } = part;
  const found = (part.isLast ? named2.at(-1) : void 0) ?? flags2.find((flag) => flag.text === wanted) ?? named2.find((flag) => inner === void 0 || text.slice(flag.start, flag.end).includes(inner)) ?? (named2.length === 1 ? named2[0] : void 0);
  if (found === void 0) return void 0;
  const equals = text.slice(found.start, found.end).indexOf("=");
  return narrow(text, found, part, part.at === void 0 ? 0 : equals + 1);
}
function findArgument(word, whole, token2, part) {
  const words = listArguments(word, whole, token2);
  if (part.of === "last argument") return words.at(-1);
  if (part.of === "source") return words.slice(0, -1).filter(({ text: text2 }) => !findHeredocMark(text2))[part.index ?? 0];
  if (part.index !== void 0) return words[part.index];
  const { text } = part;
  const pairs = words.flatMap((one3) => splitPair(one3));
  return [...words, ...pairs, whole, ...restOf(whole)].find((candidate) => candidate.text === text);
}
function listArguments(word, whole, token2) {
  const strings = listStrings(whole);
  if (strings !== void 0) return strings;
  if (["env", "label", "arg"].includes(word)) return findQuoted(whole.text, token2).map((one3) => shift(one3, whole.start));
  if (!["add", "copy", "expose", "from", "volume", "healthcheck"].includes(word)) return [whole];
  return Array.from(
    whole.text.matchAll(/[^\t\v\f\r ]+/g),
    ({ 0: text, index }) => shift({ text, start: index, end: index + text.length }, whole.start)
  );
}
function listStrings(whole) {
  try {
    if (!whole.text.startsWith("[") || !Array.isArray(JSON.parse(whole.text))) return void 0;
  } catch {
    return void 0;
  }
  return Array.from(whole.text.matchAll(/"(?:[^"\\]|\\.)*"/gs), ({ 0: written, index }) => {
    return shift({ text: String(JSON.parse(written)), start: index, end: index + written.length }, whole.start);
  });
}
function splitPair({ text, start, end }) {
  const equals = text.indexOf("=");
  if (equals < 0) return [];
  return [
    { text: text.slice(0, equals), start, end: start + equals },
    { text: text.slice(equals + 1), start: start + equals + 1, end }
  ];
}
function restOf({ text, start, end }) {
  const blanks = /[\t\v\f\r ]+/.exec(text);
  if (blanks === null) return [];
  const after = blanks.index + blanks[0].length;
  return [
    { text: text.slice(0, blanks.index), start, end: start + blanks.index },
    { text: text.slice(after), start: start + after, end }
  ];
}
function narrow(text, { start, end }, { inner, at: at3 }, before2) {
  if (inner === void 0 || inner === "") return { start, end };
  const written = text.slice(start, end);
  const exact = before2 + (at3 ?? 0);
  const found = written.startsWith(inner, exact) ? exact : written.indexOf(inner);
  return found < 0 ? { start, end } : { start: start + found, end: start + found + inner.length };
}
function locateBody(lines, joined, { text: name, inner = "", at: at3 = 0 }) {
  for (const mark of findHeredocs(joined.text)) {
    let offset = 0;
    for (let line = lines.take(); line !== void 0; line = lines.take()) {
      const written = trimLineEnd(line);
      const body = mark.chomp ? line.replace(/^\t+/, "") : line;
      if (trimLineEnd(body) === mark.name) break;
      if (mark.name === name && at3 < offset + body.length + 1)
        return rangeIn(written, lines.taken, at3 - offset + line.length - body.length, inner);
      offset += body.length + 1;
    }
  }
  return void 0;
}
function rangeIn(written, line, start, inner) {
  const [first = ""] = inner.split("\n");
  const position = (column) => ({ line, column: Math.min(column, written.length) + 1 });
  return { start: position(start), end: position(start + first.length) };
}

// src/dockerfile/node.ts
var maxLineBytes = 65535;
function readNodes(source, file) {
  return new NodeReader(source, file).read();
}
var NodeReader = class {
  #source;
  #file;
  /** Physical lines with their line ends. */
  #lines;
  /** Lines taken so far, which is the 1-based number of the last one. */
  taken = 0;
  #escape = "\\";
  #comments = [];
  #directives = {};
  #warnings = [];
  constructor(source, file) {
    this.#source = source;
    this.#file = file;
    this.#lines = source.replace(/^\uFEFF/, "").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }
  read() {
    if (this.#source === "") throw this.#error("the Dockerfile cannot be empty", lineRange(1));
    const nodes = [];
    const directiveReader = new DirectiveReader();
    for (let line = this.take(); line !== void 0; line = this.take()) {
      const text = trimStart(trimLineEnd(line));
      this.#at(this.#range(this.taken), () => this.#readDirective(directiveReader, text));
      if (text === "" || text.startsWith("#")) continue;
      nodes.push(this.#readNode(line));
      this.#comments = [];
    }
    if (nodes.length === 0) throw this.#error("file with no instructions", lineRange(Math.max(1, this.taken)));
    return { nodes, escape: this.#escape, directives: this.#directives, warnings: this.#warnings };
  }
  #readDirective(reader, line) {
    const directive = reader.read(line, this.taken);
    if (directive) {
      this.#directives[directive.name] = directive;
      if (directive.name === "escape") this.#escape = readEscape(directive.value);
    } else if (line.startsWith("#")) {
      const comment = trim2(line.slice(1));
      if (comment === "") this.#comments = [];
      else this.#comments.push(comment);
    } else if (line === "") this.#comments = [];
  }
  #readNode(line) {
    const first = this.taken;
    const { text: original, hasGap } = joinLines(line, this, this.#escape);
    const range = () => this.#range(first);
    if (hasGap) this.#warnings.push({ rule: "NoEmptyContinuation", message: "Empty continuation line", range: range() });
    return this.#at(range(), () => {
      const line2 = readLine(original, this.#escape);
      const heredocs = takesHeredocs(line2) && original.includes("<<") ? this.#readHeredocs(original) : [];
      return { ...line2, heredocs, original, comments: this.#comments, range: range() };
    });
  }
  #readHeredocs(original) {
    return findHeredocs(original).map((mark) => {
      const content = [];
      for (let line = this.take(); line !== void 0; line = this.take()) {
        const end = trimLineEnd(line);
        if ((mark.chomp ? end.replace(/^\t+/, "") : end) === mark.name) return { ...mark, content: content.join("") };
        content.push(line);
      }
      throw new LineError("unterminated heredoc", `no line is just ${mark.name}`, { inner: findMark(original, mark.name) });
    });
  }
  take() {
    const line = this.#lines[this.taken];
    if (line === void 0) return void 0;
    this.taken++;
    if (line.length * 3 > maxLineBytes && Buffer.byteLength(line.replace(/\n$/, "")) > maxLineBytes) {
      throw this.#error(`dockerfile line greater than max allowed size of ${maxLineBytes}`, lineRange(this.taken));
    }
    return line;
  }
  #range(first) {
    const start = this.#lines[first - 1] ?? "";
    const end = { line: this.taken, column: trimLineEnd(this.#lines[this.taken - 1] ?? "").length + 1 };
    return { start: { line: first, column: start.length - trimStart(start).length + 1 }, end };
  }
  #at(range, action) {
    return locateErrors({ file: this.#file, source: this.#source }, range, action);
  }
  #error(reason, range) {
    return new DockerfileError(reason, { file: this.#file, range });
  }
};
function readEscape(value) {
  if (value === "\\" || value === "`") return value;
  throw new LineError(`invalid escape token '${value}' does not match \` or \\`, void 0, { inner: value });
}
function takesHeredocs(line) {
  const { word, json: json2 } = line.word.toLowerCase() === "onbuild" && line.trigger ? line.trigger : line;
  return !json2 && ["run", "copy", "add"].includes(word.toLowerCase());
}
function findMark(original, name) {
  const at3 = original.indexOf(name, original.indexOf("<<"));
  const start = original.lastIndexOf("<<", at3);
  return start < 0 ? "<<" : original.slice(start, at3 + name.length);
}

// src/dockerfile/check-config.ts
var nothing = /* @__PURE__ */ new Set();
function readCheckConfig(dockerfile, buildArgs) {
  const argument = buildArgs.get("BUILDKIT_DOCKERFILE_CHECK");
  if (argument !== void 0) return parseConfig(argument);
  const { check: check2 } = dockerfile.directives;
  return locateErrors(dockerfile, lineRange(check2?.line ?? 1), () => parseConfig(check2?.value ?? ""));
}
function parseConfig(text) {
  let config = { skip: nothing, experimental: nothing, error: false };
  const wrong = (option) => new LineError(`failed to parse check options: invalid check option ${quote(option)}`, "write it as skip=RULE,RULE;error=true", {
    inner: option
  });
  for (const part of trim2(text) === "" ? [] : trim2(text).split(";")) {
    const equals = part.indexOf("=");
    if (equals < 0) throw wrong(part);
    const key = trim2(part.slice(0, equals));
    const value = trim2(part.slice(equals + 1));
    if (key === "error") config = { ...config, error: within({ inner: value }, () => parseBoolean(value, "the check option error")) };
    else if (key === "skip" || key === "experimental")
      config = { ...config, [key]: value === "all" ? "all" : new Set(value.split(",").map(trim2)) };
    else throw wrong(key);
  }
  return config;
}
function isEnabled(rule, config, comments) {
  const local = readComments(comments);
  const names2 = (key) => [config[key], local[key]].some((set) => set === "all" || set.has(rule.name));
  return rule.experimental ? names2("experimental") : !names2("skip");
}
function readComments(comments) {
  const found = comments.map((comment) => /^check[\t ]*=[\t ]*(\S+)/i.exec(comment)?.[1]).find((value) => value !== void 0);
  try {
    return parseConfig(found ?? "");
  } catch (error) {
    if (error instanceof LineError) return { skip: nothing, experimental: nothing };
    throw error;
  }
}

// src/dockerfile/check-from.ts
function readGlobals(dockerfile, { buildArgs, predefined }) {
  const values = new Map(predefined);
  const names2 = new Set(predefined.keys());
  const expand2 = (word) => {
    const used = /* @__PURE__ */ new Set();
    const missing = /* @__PURE__ */ new Set();
    const get = (name) => {
      const value = values.get(name);
      if (value !== void 0) used.add(name);
      return value;
    };
    try {
      return { text: expandWord(word, { get, escape: dockerfile.escape }, missing), used, missing };
    } catch (error) {
      if (error instanceof LineError) return { text: void 0, used, missing };
      throw error;
    }
  };
  for (const { name, value } of dockerfile.globalArgs.flatMap(({ args }) => args)) {
    const set = buildArgs.get(name) ?? (value === void 0 ? void 0 : expand2(value).text);
    if (set !== void 0) values.set(name, set);
    names2.add(name);
  }
  return { values, names: names2, expand: expand2 };
}
function checkFrom(dockerfile, globals, facts, tell) {
  const defaults = readGlobals(dockerfile, { ...facts, buildArgs: /* @__PURE__ */ new Map() });
  for (const { from, index } of dockerfile.stages) {
    checkArguments(from, globals, tell);
    const name = defaults.expand(from.image).text;
    if (name !== void 0 && !isReference(name))
      tell("InvalidDefaultArgInFrom", from, `Default value for ARG ${from.image} results in empty or invalid base image name`);
    if (from.platform !== void 0) checkPlatform(from, from.platform, globals, tell);
    checkImagePlatform(from, globals.expand(from.image).text ?? from.image, facts.bases.get(index), tell);
  }
}
function checkImagePlatform(at3, name, image, tell) {
  if (!image || image.platform.os === image.wanted.os && image.platform.architecture === image.wanted.architecture) return;
  const [actual, expected] = [quote(formatPlatform(image.platform)), quote(formatPlatform(image.wanted))];
  const message = `Base image ${name} was pulled with platform ${actual}, expected ${expected} for current build`;
  tell("InvalidBaseImagePlatform", at3, message);
}
function checkArguments(from, globals, tell) {
  const missing = new Set([from.image, from.platform ?? ""].flatMap((word) => [...globals.expand(word).missing]));
  for (const name of missing) {
    if (globals.names.has(name)) continue;
    const nearest = findNearest(name, globals.names);
    tell(
      "UndefinedArgInFrom",
      from,
      `FROM argument '${name}' is not declared${nearest === void 0 ? "" : ` (did you mean ${nearest}?)`}`
    );
  }
}
function checkPlatform(from, written, globals, tell) {
  const { text, used, missing } = globals.expand(written);
  if (used.size === 1 && missing.size === 0 && used.has("TARGETPLATFORM") && text === globals.values.get("TARGETPLATFORM"))
    tell("RedundantTargetPlatform", from, `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`);
  const platform = used.size > 0 || missing.size > 0 || text === void 0 ? void 0 : readPlatform(text);
  if (platform === void 0 || from.stage?.includes(platform.os) || from.stage?.includes(platform.architecture)) return;
  tell("FromPlatformFlagConstDisallowed", from, `FROM --platform flag should not use constant value ${quote(text ?? "")}`);
}
function readPlatform(text) {
  try {
    return parsePlatform(text);
  } catch (error) {
    if (error instanceof SyntaxError) return void 0;
    throw error;
  }
}
function isReference(text) {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

// src/dockerfile/check-rules.ts
var buildkit = {
  StageNameCasing: "Stage names should be lowercase",
  FromAsCasing: "The 'as' keyword should match the case of the 'from' keyword",
  NoEmptyContinuation: "Empty continuation lines will become errors in a future release",
  ConsistentInstructionCasing: "All commands within the Dockerfile should use the same casing (either upper or lower)",
  DuplicateStageName: "Stage names should be unique",
  ReservedStageName: "Reserved words should not be used as stage names",
  JSONArgsRecommended: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
  MaintainerDeprecated: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
  UndefinedArgInFrom: "FROM command must use declared ARGs",
  WorkdirRelativePath: "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
  UndefinedVar: "Variables should be defined before their use",
  MultipleInstructionsDisallowed: "Multiple instructions of the same type should not be used in the same stage",
  LegacyKeyValueFormat: "Legacy key/value format with whitespace separator should not be used",
  InvalidBaseImagePlatform: "Base image platform does not match expected target platform",
  RedundantTargetPlatform: "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
  SecretsUsedInArgOrEnv: "Sensitive data should not be used in the ARG or ENV commands",
  InvalidDefaultArgInFrom: "Default value for global ARG results in an empty or invalid base image name",
  FromPlatformFlagConstDisallowed: "FROM --platform flag should not use a constant value",
  CopyIgnoredFile: "Attempting to Copy file that is excluded by .dockerignore",
  ExposeProtoCasing: "Protocol in EXPOSE instruction should be lowercase",
  ExposeInvalidFormat: "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
  InvalidDefinitionDescription: "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment."
};
var own = {
  SeveralSourcesNeedSlash: "The destination of several sources should end in a slash: without one, they are written over each other",
  LinkWithChmod: "--link has no effect beside --chmod: the files need the base below them",
  RootedExclude: "Patterns of --exclude are relative to each copied directory: one that begins with a slash matches nothing",
  KeepGitDirWithoutGit: "--keep-git-dir has no effect where no source is a git repository",
  UnknownRule: "Names in # check= should be those of rules",
  IgnoredFlag: "Flags of ARG, STOPSIGNAL and HEALTHCHECK NONE have no effect"
};
var late = {
  UnknownOwner: "Names in --chown, and in USER before WORKDIR, should be in the image's accounts: one that is not stands for 0",
  NamedFileNotExcluded: "--exclude hides what is in a copied directory, not a file that a source names or matches",
  WildcardSelectsNothing: "A source with wildcards should match something: where nothing matches, nothing is copied"
};
var withoutPage = ["InvalidBaseImagePlatform"];
var experimental = ["InvalidDefinitionDescription"];
var rules = [
  ...Object.entries(buildkit).map(([name, description]) => ({
    name,
    description,
    ...withoutPage.includes(name) ? {} : { url: `https://docs.docker.com/go/dockerfile/rule/${kebab(name)}/` },
    ...experimental.includes(name) ? { experimental: true } : {}
  })),
  ...Object.entries({ ...own, ...late }).map(([name, description]) => ({ name, description, own: true }))
];
var ruleNamed = Object.fromEntries(rules.map((rule) => [rule.name, rule]));
var lateRules = rules.filter(({ name }) => name in late);
function kebab(name) {
  return name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "-").toLowerCase();
}

// src/dockerfile/check-stage.ts
function startStage(parent, base, isScratch) {
  if (parent) return { ...parent, env: new Map(parent.env), declared: new Set(parent.declared) };
  const env = new Map([["PATH", ""], ...base?.env ?? []]);
  return { env, declared: /* @__PURE__ */ new Set(), knowsBase: isScratch || base !== void 0, hasShell: base?.hasShell ?? false, hasWorkdir: false };
}
function checkStage(instructions, state, facts, tell) {
  const checker = new StageChecker(state, facts, tell);
  for (const instruction of instructions) checker.check(instruction);
}
var StageChecker = class {
  #state;
  #facts;
  #tell;
  /** Of each kind that counts once, the last so far. */
  #last = /* @__PURE__ */ new Map();
  constructor(state, facts, tell) {
    this.#state = state;
    this.#facts = facts;
    this.#tell = tell;
  }
  check(instruction) {
    switch (instruction.kind) {
      case "arg":
        this.#checkArg(instruction);
        break;
      case "env":
      case "label":
        this.#checkPairs(instruction);
        break;
      case "run":
        for (const mount of instruction.mounts)
          this.#try(instruction, (missing) => readMount(mount, (word) => expandWord(word, this.#variables, missing)));
        break;
      case "copy":
      case "add":
        this.#checkTransfer(instruction);
        break;
      case "workdir":
        this.#checkWorkdir(instruction);
        break;
      case "user":
        this.#expand(instruction, instruction.user);
        break;
      case "stopsignal":
        this.#expand(instruction, instruction.signal);
        break;
      case "volume":
        for (const path14 of instruction.paths) this.#expand(instruction, path14);
        break;
      case "expose":
        this.#checkExpose(instruction);
        break;
      case "cmd":
      case "entrypoint":
        this.#checkOnce(instruction);
        if (instruction.command.form === "shell" && !this.#state.hasShell) {
          const message = `JSON arguments recommended for ${instruction.word} to prevent unintended behavior related to OS signals`;
          this.#tell("JSONArgsRecommended", instruction, message);
        }
        break;
      case "healthcheck":
        this.#checkOnce(instruction);
        break;
      case "shell":
        this.#state.hasShell = true;
        break;
      case "onbuild":
      case "maintainer":
        break;
      default:
        instruction;
    }
  }
  get #variables() {
    return { get: (name) => this.#state.env.get(name), escape: this.#facts.dockerfile.escape };
  }
  /** What cannot be expanded fails the build, which tells of it. */
  #try(instruction, action) {
    const missing = /* @__PURE__ */ new Set();
    try {
      return action(missing);
    } catch (error) {
      if (error instanceof LineError) return void 0;
      throw error;
    } finally {
      for (const name of missing) this.#tellUndefined(instruction, name);
    }
  }
  #expand(instruction, word) {
    return this.#try(instruction, (missing) => expandWord(word, this.#variables, missing));
  }
  /** Names in capitals may be those of a base image that is not known. */
  #tellUndefined(instruction, name) {
    if (this.#state.declared.has(name) || !(this.#state.knowsBase || new RegExp("\\p{Ll}", "u").test(name))) return;
    const nearest = findNearest(name, this.#state.env.keys());
    const hint = nearest === void 0 ? "" : ` (did you mean $${nearest}?)`;
    this.#tell("UndefinedVar", instruction, `Usage of undefined variable '$${name}'${hint}`, { own: instruction.kind === "expose" });
  }
  #checkArg(instruction) {
    const { buildArgs, globals } = this.#facts;
    this.#checkLegacyArg(instruction);
    for (const { name, value } of instruction.args) {
      this.#checkSecret(instruction, name);
      const fallback = buildArgs.has(name) || value === void 0 ? void 0 : this.#expand(instruction, value);
      const set = buildArgs.get(name) ?? fallback ?? globals.get(name);
      if (set !== void 0) this.#state.env.set(name, set);
      this.#state.declared.add(name);
    }
  }
  /** `ARG foo bar` declares two arguments. Where nobody ever mentions the second again, it was probably meant as a value. */
  #checkLegacyArg(instruction) {
    const [first, second, ...rest] = instruction.args;
    if (!second || rest.length > 0 || first?.value !== void 0 || second.value !== void 0) return;
    const { buildArgs, globals, dockerfile } = this.#facts;
    if (buildArgs.has(second.name) || globals.has(second.name)) return;
    const written = dockerfile.stages.flatMap((stage) => stage.instructions.map(fullText)).join("\n");
    if (written.split(second.name).length === 2) this.#tellLegacy(instruction, true);
  }
  #tellLegacy(instruction, own2) {
    const { word } = instruction;
    const message = `"${word} key=value" should be used instead of legacy "${word} key value" format`;
    this.#tell("LegacyKeyValueFormat", instruction, message, { own: own2 });
  }
  #checkPairs(instruction) {
    const expanded = instruction.pairs.map(({ key, value }) => [this.#expand(instruction, key), this.#expand(instruction, value)]);
    if (instruction.legacy) this.#tellLegacy(instruction, false);
    for (const [key, value] of instruction.kind === "env" ? expanded : []) {
      if (key === void 0) continue;
      this.#checkSecret(instruction, key);
      this.#state.env.set(key, value ?? "");
    }
  }
  #checkSecret(instruction, name) {
    if (!secretWord.test(name) || harmlessWord.test(name)) return;
    const detail = `${instruction.kind.toUpperCase()} ${quote(name)}`;
    this.#tell("SecretsUsedInArgOrEnv", instruction, `Do not use ARG or ENV instructions for sensitive data (${detail})`);
  }
  #checkTransfer(instruction) {
    const { chown = "", chmod: chmod3 = "", exclude, sources, contents, destination } = instruction;
    const checksum = instruction.kind === "add" ? instruction.checksum ?? "" : "";
    for (const word of [chown, chmod3, checksum, ...exclude]) this.#expand(instruction, word);
    const paths = sources.flatMap((source) => this.#expand(instruction, source) ?? []);
    const to = this.#expand(instruction, destination);
    for (const { content } of contents.filter(({ expand: expand2 }) => expand2))
      this.#try(instruction, (missing) => expandBody(content, this.#variables, missing));
    const isFile = to !== void 0 && !(instruction.kind === "copy" && instruction.parents) && !/(?:^|\/)\.{0,2}$/.test(to);
    if (isFile && sources.length + contents.length > 1 && !paths.some((path14) => /[*?[]/.test(path14))) {
      const message = `${instruction.kind.toUpperCase()} of several sources to ${quote(to)}, which has no slash at its end: the last one wins`;
      this.#tell("SeveralSourcesNeedSlash", instruction, message);
    }
    if (instruction.kind === "add" && instruction.keepGitDir !== void 0 && !paths.some((path14) => gitSource.test(path14)))
      this.#tell("KeepGitDirWithoutGit", instruction, "ADD --keep-git-dir is without effect: no source is a git repository");
    if (instruction.link && chmod3 !== "")
      this.#tell("LinkWithChmod", instruction, `${instruction.kind.toUpperCase()} --link is without effect beside --chmod`);
    for (const pattern of exclude.filter((text) => /^!?\//.test(text))) {
      const message = `--exclude=${pattern} matches nothing: patterns are relative to each copied directory and begin with no slash`;
      this.#tell("RootedExclude", instruction, message);
    }
    if (instruction.kind === "copy" && instruction.from !== void 0) {
      checkImagePlatform(instruction, instruction.from, this.#facts.images.get(instruction.from), this.#tell);
      return;
    }
    for (const path14 of paths) this.#checkIgnored(instruction, path14);
  }
  #checkIgnored(instruction, path14) {
    const { isIgnored } = this.#facts;
    const clean = cleanPath2(path14);
    if (!isIgnored || clean === "." || clean === "/" || isRemote(path14)) return;
    const isHidden = isIgnored(clean);
    if (!isHidden && !(path14.startsWith("./") && isIgnored(path14))) return;
    const verb = instruction.kind === "add" ? "Add" : "Copy";
    const message = `Attempting to ${verb} file ${quote(isHidden ? clean : path14)} that is excluded by .dockerignore`;
    this.#tell("CopyIgnoredFile", instruction, message, { own: !isHidden });
  }
  /** Only the first counts: those after it are as good as it is. */
  #checkWorkdir(instruction) {
    const path14 = this.#expand(instruction, instruction.path);
    if (path14 !== void 0 && !this.#state.hasWorkdir && !path14.startsWith("/"))
      this.#tell(
        "WorkdirRelativePath",
        instruction,
        `Relative workdir ${quote(path14)} can have unexpected results if the base image changes`
      );
    this.#state.hasWorkdir = true;
  }
  #checkExpose(instruction) {
    const words = instruction.ports.flatMap(
      (port) => this.#try(instruction, (missing) => expandWords(port, this.#variables, missing)) ?? []
    );
    for (const port of words) {
      const slash3 = port.indexOf("/");
      const protocol = slash3 < 0 ? "" : port.slice(slash3 + 1);
      if (protocol !== protocol.toLowerCase())
        this.#tell("ExposeProtoCasing", instruction, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
      if (port.includes(":")) {
        const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`;
        this.#tell("ExposeInvalidFormat", instruction, message);
      }
    }
  }
  /** It is the earlier one that has no effect. */
  #checkOnce(instruction) {
    const { kind, word } = instruction;
    const before2 = this.#last.get(kind);
    this.#last.set(kind, instruction);
    const message = `Multiple ${word} instructions should not be used in the same stage because only the last one will be used`;
    if (before2) this.#tell("MultipleInstructionsDisallowed", before2, message, { by: instruction });
  }
};
function fullText(instruction) {
  const heredocs = instruction.kind === "run" ? instruction.heredocs : "contents" in instruction ? instruction.contents : [];
  return [instruction.text, ...heredocs.map(({ content }) => content)].join("\n");
}
var gitSource = /^(?:git|ssh):\/\/|^[\w.-]+@[\w.-]+:|\.git(?:[#?]|$)/i;
var secretWord = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
var harmlessWord = /(?:_|^)(?:public|file|version)(?:_|$)/i;
function isRemote(source) {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source) || /^[\w.-]+@[\w.-]+:/.test(source);
}
function cleanPath2(path14) {
  const parts = [];
  for (const part of path14.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!path14.startsWith("/")) parts.push("..");
  }
  return `${path14.startsWith("/") ? "/" : ""}${parts.join("/")}` || ".";
}

// src/dockerfile/check-writing.ts
function checkWriting(dockerfile, tell) {
  const { globalArgs, stages, warnings } = dockerfile;
  const written = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  for (const { message, range } of warnings) {
    const at3 = written.find((instruction) => instruction.range.start.line === range.start.line);
    tell("NoEmptyContinuation", { range, comments: at3?.comments ?? [] }, message);
  }
  checkCasing(written, tell);
  checkStageNames(
    stages.map(({ from }) => from),
    tell
  );
  for (const instruction of [...globalArgs, ...written]) {
    checkDescription(instruction, tell);
    if (instruction.kind === "maintainer")
      tell("MaintainerDeprecated", instruction, "Maintainer instruction is deprecated in favor of using label");
    const [, flag] = ignoresFlags(instruction) ? /^\S+\s+(--[^\s=]+)/.exec(instruction.text) ?? [] : [];
    if (flag) tell("IgnoredFlag", instruction, `${instruction.word.toUpperCase()} takes no flags: ${flag} has no effect`);
  }
}
function ignoresFlags({ kind, ...rest }) {
  return kind === "arg" || kind === "stopsignal" || kind === "healthcheck" && !("command" in rest);
}
function checkCasing(written, tell) {
  const lower = written.filter(({ word }) => word === word.toLowerCase()).length;
  const upper = written.filter(({ word }) => word === word.toUpperCase()).length;
  const casing = lower > upper ? "lowercase" : "uppercase";
  for (const instruction of written) {
    const { word } = instruction;
    if (word === (lower > upper ? word.toLowerCase() : word.toUpperCase())) continue;
    tell("ConsistentInstructionCasing", instruction, `Command '${word}' should match the case of the command majority (${casing})`);
  }
}
function checkStageNames(froms, tell) {
  const names2 = /* @__PURE__ */ new Set();
  for (const from of froms) {
    if (!from.as || from.stage === void 0) continue;
    const { word, stage } = from.as;
    if (stage !== from.stage) tell("StageNameCasing", from, `Stage name '${stage}' should be lowercase`);
    const sample = from.word === from.word.toLowerCase() ? word.toLowerCase() : word.toUpperCase();
    const isPlain = from.word === from.word.toLowerCase() || from.word === from.word.toUpperCase();
    if (isPlain && word !== sample) tell("FromAsCasing", from, `'${word}' and '${from.word}' keywords' casing do not match`);
    if (from.stage === "scratch" || from.stage === "context")
      tell("ReservedStageName", from, `Stage name should not use the same name as reserved stage ${quote(from.stage)}`);
    if (names2.has(from.stage)) tell("DuplicateStageName", from, `Duplicate stage name ${quote(from.stage)}, stage names should be unique`);
    names2.add(from.stage);
  }
}
function checkDescription(instruction, tell) {
  const names2 = instruction.kind === "arg" ? instruction.args.map(({ name }) => name) : instruction.kind === "from" ? [instruction.stage] : [];
  const last = instruction.comments.at(-1);
  if (last === void 0 || names2[0] === void 0 || names2.includes(last.split(" ")[0])) return;
  const sample = names2.length > 1 ? "<arg_key>" : names2[0];
  const message = `Comment for ${instruction.kind.toUpperCase()} should follow the format: \`# ${sample} <description>\``;
  tell("InvalidDefinitionDescription", instruction, message);
}

// src/dockerfile/stage.ts
function findStage(stages, name) {
  if (!/^[+-]?[0-9]+$/.test(name)) return stages.findLast((stage2) => stage2.name === name.toLowerCase());
  const stage = stages[Number(name)];
  if (!stage) throw new RangeError(`invalid stage index ${Number(name)}`);
  return stage;
}
function findBaseStage(stages, index, image) {
  return stages.slice(0, index).findLast((stage) => stage.name === image);
}

// src/dockerfile/trigger.ts
function parseOnbuild(text, file, range) {
  try {
    const { nodes, escape: token2 } = readNodes(text, file);
    const [node] = nodes;
    if (!node || nodes.length !== 1) throw new LineError("onbuild trigger should be a single expression");
    const instruction = readInstruction({ ...node, range }, token2);
    if (instruction.kind === "from" || instruction.kind === "onbuild" || instruction.kind === "maintainer") {
      throw new LineError(`${instruction.kind.toUpperCase()} isn't allowed as an ONBUILD trigger`);
    }
    return instruction;
  } catch (cause) {
    if (!(cause instanceof DockerfileError || cause instanceof LineError)) throw cause;
    const reason = cause instanceof DockerfileError ? cause.reason : cause.message;
    throw new DockerfileError(`ONBUILD trigger "${text}": ${reason}`, { file, range, hint: cause.hint, cause });
  }
}

// src/dockerfile/check.ts
function checkDockerfile(dockerfile, config, facts) {
  const findings = /* @__PURE__ */ new Map();
  const tell = (name, at3, message, { by, own: own2 } = {}) => {
    const rule = ruleNamed[name];
    if (!isEnabled(rule, config, at3.comments) || by && !isEnabled(rule, config, by.comments)) return;
    const { description, url: url2 } = rule;
    const finding = { rule: name, message, description, ...url2 ? { url: url2 } : {}, range: at3.range, own: own2 ?? rule.own ?? false };
    findings.set(`${name} ${at3.range.start.line} ${message}`, finding);
  };
  checkNames(dockerfile, config, tell);
  checkWriting(dockerfile, tell);
  const globals = readGlobals(dockerfile, facts);
  checkFrom(dockerfile, globals, facts, tell);
  checkReached(dockerfile, globals, facts, tell);
  return [...findings.values()].sort((a, b) => a.range.start.line - b.range.start.line);
}
function checkNames({ directives }, config, tell) {
  const { check: check2 } = directives;
  if (!check2) return;
  const at3 = { range: lineRange(check2.line), comments: [] };
  const named2 = [config.skip, config.experimental].flatMap((names2) => names2 === "all" ? [] : [...names2]);
  for (const name of named2.filter((one3) => check2.value.includes(one3) && !Object.hasOwn(ruleNamed, one3))) {
    const nearest = findNearest(name, Object.keys(ruleNamed));
    tell("UnknownRule", at3, `There is no rule ${quote(name)}${nearest === void 0 ? "" : ` (did you mean ${nearest}?)`}`);
  }
}
function findSilenced(dockerfile, config) {
  const instructions = dockerfile.stages.flatMap(({ from, instructions: instructions2 }) => [from, ...instructions2]);
  return new Set(
    instructions.flatMap(
      ({ comments, range }) => lateRules.filter((rule) => !isEnabled(rule, config, comments)).map(({ name }) => `${name} ${range.start.line}`)
    )
  );
}
function formatViolation(config, findings) {
  const counted = config.error ? findings.filter(({ own: own2 }) => !own2) : [];
  const [first] = counted;
  const names2 = [...new Set(counted.map(({ rule }) => rule))].sort();
  return first && { message: `lint violation found for rules: ${names2.join(", ")}`, range: first.range };
}
function findBaseImages(dockerfile, facts) {
  const globals = readGlobals(dockerfile, facts);
  const images = /* @__PURE__ */ new Map();
  for (const stage of dockerfile.stages) {
    const image = globals.expand(stage.from.image).text;
    const platform = globals.expand(stage.from.platform ?? "").text;
    if (image === void 0 || image === "" || image === "scratch" || platform === void 0) continue;
    if (findBaseStage(dockerfile.stages, stage.index, image) === void 0) images.set(stage.index, { image, platform });
  }
  return images;
}
function checkReached(dockerfile, { values, expand: expand2 }, facts, tell) {
  const { stages } = dockerfile;
  const parents = stages.map((stage) => findBaseStage(stages, stage.index, expand2(stage.from.image).text ?? ""));
  const instructions = stages.map((stage, index) => {
    const inherited = facts.bases.get(index)?.triggers ?? parents[index]?.instructions.flatMap(triggerOf) ?? [];
    return [...inherited.flatMap((text) => readTrigger3(text, dockerfile, stage)), ...stage.instructions];
  });
  const reached = /* @__PURE__ */ new Set();
  const reach = (stage) => {
    if (stage === void 0 || reached.has(stage.index)) return;
    reached.add(stage.index);
    reach(parents[stage.index]);
    for (const instruction of instructions[stage.index] ?? []) for (const name of namedStages(instruction)) reach(findNamed(stages, name));
  };
  if (facts.target === void 0) for (const stage of stages) reach(stage);
  else reach(facts.target);
  const stageFacts = { ...facts, globals: values, dockerfile };
  const states = /* @__PURE__ */ new Map();
  for (const stage of stages) {
    if (!reached.has(stage.index)) continue;
    const parent = parents[stage.index];
    const state = startStage(parent && states.get(parent.index), facts.bases.get(stage.index), expand2(stage.from.image).text === "scratch");
    states.set(stage.index, state);
    checkStage(instructions[stage.index] ?? [], state, stageFacts, tell);
  }
}
function triggerOf(instruction) {
  return instruction.kind === "onbuild" ? [instruction.trigger] : [];
}
function readTrigger3(text, { file }, stage) {
  try {
    const instruction = parseOnbuild(text, file, stage.from.range);
    return [{ ...instruction, range: stage.from.range, comments: stage.from.comments }];
  } catch (error) {
    if (error instanceof DockerfileError) return [];
    throw error;
  }
}
function namedStages(instruction) {
  if (instruction.kind === "copy") return instruction.from === void 0 ? [] : [instruction.from];
  return instruction.kind === "run" ? instruction.mounts.flatMap(({ from }) => from ?? []) : [];
}
function findNamed(stages, name) {
  try {
    return findStage(stages, name);
  } catch (error) {
    if (error instanceof RangeError) return void 0;
    throw error;
  }
}

// src/dockerfile/dockerfile.ts
function parseDockerfile(text, file) {
  const source = typeof text === "string" ? text : new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
  const { nodes, escape: token2, directives, warnings } = readNodes(source, file);
  const globalArgs = [];
  const stages = [];
  for (const node of nodes) {
    const { range } = node;
    const instruction = locateErrors({ file, source }, range, () => readInstruction(node, token2));
    const stage = stages.at(-1);
    if (instruction.kind === "from") stages.push({ from: instruction, instructions: [] });
    else if (stage) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globalArgs.push(instruction);
    else throw new DockerfileError("no build stage in current context", { file, range, hint: "a FROM must come first" });
  }
  if (stages.length === 0) {
    throw new DockerfileError("dockerfile contains no stages to build", { file, range: nodes.at(-1)?.range ?? lineRange(1) });
  }
  const syntax = findDirective("syntax", source.replace(/^\uFEFF/, ""));
  const check2 = findDirective("check", source.replace(/^\uFEFF/, ""));
  return {
    file,
    source,
    escape: token2,
    directives: { ...syntax ? { syntax } : {}, ...directives.escape ? { escape: directives.escape } : {}, ...check2 ? { check: check2 } : {} },
    globalArgs,
    stages: stages.map(({ from, instructions }, index) => {
      const range = { start: from.range.start, end: (instructions.at(-1) ?? from).range.end };
      return { index, name: from.stage, from, instructions, range };
    }),
    warnings
  };
}

// src/output/archive.ts
var { once } = process.getBuiltinModule("node:events");
async function* archiveFiles(fill) {
  const { default: tar } = await import("./tar-stream.mjs");
  const archive = tar.pack();
  const filling = fill((name, size, chunks) => addFile(archive, name, size, chunks)).then(
    () => archive.finalize(),
    (error) => archive.destroy(error instanceof Error ? error : new Error(String(error)))
  );
  try {
    yield* archive;
  } finally {
    archive.destroy();
    await filling;
  }
}
async function addFile(archive, name, size, chunks) {
  const entry = archive.entry({ name, size, mode: 420, mtime: /* @__PURE__ */ new Date(0) });
  const closed = once(entry, "close");
  closed.catch(() => {
  });
  for await (const chunk of chunks) {
    if (entry.write(chunk)) continue;
    await Promise.race([once(entry, "drain"), closed]);
    if (entry.destroyed) throw new Error(`Cannot write the archive's "${name}": nobody reads it any more`);
  }
  entry.end(null);
  await closed;
}

// src/output/docker-archive.ts
var unnamed = "docker.io/unset-repo/unset-image-name:latest";
var suffixes = { gzip: ".tar.gz", zstd: ".tar.zst", none: ".tar" };
function archiveImage(image, destinations, signal) {
  return archiveFiles((add) => addImage(add, image, destinations, signal));
}
async function addImage(add, { image, config }, destinations, signal) {
  await add(config.descriptor.digest, config.descriptor.size, [config.bytes]);
  const layers = new Map(image.layers.map((layer) => [layerName(layer), layer]));
  for (const [name, layer] of layers) await add(name, layer.descriptor.size, layer.open(signal));
  const tags = destinations.length === 0 ? [unnamed] : destinations.map(loadedName);
  const manifest = [{ Config: config.descriptor.digest, RepoTags: [...new Set(tags)], Layers: image.layers.map(layerName) }];
  const bytes = Buffer.from(JSON.stringify(manifest));
  await add("manifest.json", bytes.length, [bytes]);
}
function layerName(layer) {
  return `${hexOf(layer.descriptor.digest)}${suffixes[layer.compression]}`;
}
function loadedName(reference) {
  const { registry, repository, tag = "latest" } = withDefaultTag(reference);
  return `${registry === dockerHub ? "docker.io" : registry}/${repository}:${tag}`;
}

// src/output/pipe.ts
var { constants, open: open2 } = process.getBuiltinModule("node:fs");
var { Socket } = process.getBuiltinModule("node:net");
var { pipeline: pipeline3 } = process.getBuiltinModule("node:stream/promises");
var { setTimeout: sleep } = process.getBuiltinModule("node:timers/promises");
var { promisify } = process.getBuiltinModule("node:util");
var pollMs = 50;
var patienceMs2 = 3e4;
async function writePipe(target, bytes, signal) {
  const socket = new Socket({ fd: await waitForReader(target, signal), readable: false, writable: true });
  try {
    await pipeline3(bytes, socket, signal === void 0 ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
async function waitForReader(target, signal) {
  const end = Date.now() + patienceMs2;
  for (; ; ) {
    signal?.throwIfAborted();
    try {
      return await promisify(open2)(target, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENXIO")) throw error;
      if (Date.now() > end)
        throw new Error(`no program has opened this pipe for reading within ${patienceMs2 / 1e3} seconds`, { cause: error });
    }
    await sleep(pollMs);
  }
}

// src/output/pending.ts
var { randomBytes } = process.getBuiltinModule("node:crypto");
var { access, chmod, constants: constants2, lstat, open: open3, realpath: realpath2, rename, rmdir, stat: stat4, unlink } = process.getBuiltinModule("node:fs/promises");
var path4 = process.getBuiltinModule("node:path");
var { getSystemErrorMap } = process.getBuiltinModule("node:util");
async function prepareFile(target, bytes, options2) {
  const created = await makeDirectory(path4.dirname(target), options2.directoryMode, target);
  try {
    const place = await inspect(target);
    if (place.isReplaceable) {
      const written = await writeBeside(place.path, bytes, { ...options2, mode: place.mode ?? options2.mode }, target);
      if (written !== void 0) return replacement(target, place, written, created);
      if (place.mode === void 0) throw failure2(target, await reasonOf(access(path4.dirname(place.path), constants2.W_OK)));
    }
    await access(place.path, constants2.W_OK).catch((cause) => {
      if (place.mode !== void 0) throw failure2(target, cause);
    });
    return place.isPipe ? intoPipe(target, bytes, options2, created) : inPlace(target, bytes, options2, created);
  } catch (error) {
    await removeDirectories(created);
    throw error;
  }
}
async function checkFile(file, target = file) {
  const directory = await existingParent(file);
  if (!(await stat4(directory)).isDirectory()) throw failure2(target, void 0, `"${directory}" is no directory`);
  const place = await inspect(file);
  const parent = await accessOf(await existingParent(place.path));
  if (parent === void 0 || place.mode === void 0 && !place.isReplaceable) return;
  if (place.mode === void 0) throw failure2(target, parent);
  const own2 = await accessOf(place.path);
  if (own2 !== void 0) throw failure2(target, own2);
}
function accessOf(place) {
  return reasonOf(access(place, constants2.W_OK));
}
async function existingParent(file) {
  const parent = path4.dirname(path4.resolve(file));
  return await reasonOf(access(parent)) === void 0 ? parent : existingParent(parent);
}
async function inspect(target) {
  const found = await stat4(target).catch((cause) => {
    if (cause.code === "ENOENT") return void 0;
    throw failure2(target, cause);
  });
  if (found === void 0) {
    const isDangling = await lstat(target).then(
      () => true,
      () => false
    );
    return { path: target, isReplaceable: !isDangling, mode: void 0, isPipe: false };
  }
  if (found.isDirectory()) throw failure2(target, void 0, "it is a directory");
  const mode = found.mode & 511;
  if (!found.isFile() || /^\/(dev|proc)\//.test(target)) return { path: target, isReplaceable: false, mode, isPipe: found.isFIFO() };
  const real = await realpath2(target);
  const parent = await stat4(path4.dirname(real));
  return { path: real, isReplaceable: parent.dev === found.dev, mode, isPipe: false };
}
async function writeBeside(place, bytes, options2, target) {
  const temporary = path4.join(path4.dirname(place), `.slipway-${randomBytes(8).toString("hex")}.tmp`);
  let handle;
  try {
    handle = await open3(temporary, "wx", options2.mode);
  } catch (cause) {
    if (codeOf2(cause) === "EACCES" || codeOf2(cause) === "EPERM" || codeOf2(cause) === "EROFS") return void 0;
    throw failure2(target, cause);
  }
  try {
    await writeAndClose(handle, bytes(), target);
    return temporary;
  } catch (error) {
    await unlink(temporary).catch(() => {
    });
    throw error;
  }
}
function replacement(target, place, temporary, created) {
  let isCommitted = false;
  return {
    target,
    isInPlace: false,
    async commit() {
      try {
        if (place.mode !== void 0) await chmod(temporary, place.mode);
        await rename(temporary, place.path);
        isCommitted = true;
      } catch (cause) {
        if (codeOf2(cause) !== "EBUSY") throw failure2(target, cause);
        const source = await open3(temporary, "r");
        await overwrite(target, source.createReadStream());
        await unlink(temporary);
      }
    },
    async discard() {
      if (!isCommitted) await unlink(temporary).catch(() => {
      });
      else if (place.mode === void 0) await unlink(place.path).catch(() => {
      });
      await removeDirectories(created);
    }
  };
}
function intoPipe(target, bytes, { signal }, created) {
  return {
    target,
    isInPlace: true,
    async commit() {
      await writePipe(target, bytes(), signal).catch((cause) => {
        throw signal?.aborted ? cause : failure2(target, cause);
      });
    },
    discard: () => removeDirectories(created)
  };
}
function inPlace(target, bytes, options2, created) {
  return {
    target,
    isInPlace: true,
    commit: () => overwrite(target, bytes(), options2.mode),
    discard: () => removeDirectories(created)
  };
}
async function overwrite(target, bytes, mode) {
  const isStream = /^\/(proc\/|dev\/(fd\/|std(out|err)$))/.test(target);
  const flags2 = constants2.O_WRONLY | constants2.O_CREAT | (isStream ? constants2.O_APPEND : constants2.O_TRUNC);
  const handle = await open3(target, flags2, mode).catch((cause) => {
    throw failure2(target, cause);
  });
  await writeAndClose(handle, bytes, target);
}
async function writeAndClose(handle, bytes, target) {
  const rephrase = (cause) => {
    throw failure2(target, cause);
  };
  try {
    for await (const chunk of bytes) await handle.writeFile(chunk).catch(rephrase);
  } catch (error) {
    await handle.close().catch(() => {
    });
    throw error;
  }
  await handle.close().catch(rephrase);
}
async function makeDirectory(directory, mode, target) {
  try {
    return await makeDirectories(path4.resolve(directory), mode);
  } catch (cause) {
    const at3 = cause instanceof Error && "path" in cause ? cause.path : directory;
    throw failure2(target, cause, codeOf2(cause) === "EEXIST" ? `"${at3}" is no directory` : void 0);
  }
}
async function removeDirectories(created) {
  for (const directory of created) await rmdir(directory).catch(() => {
  });
}
function failure2(target, cause, state) {
  const errno = cause instanceof Error && "errno" in cause && typeof cause.errno === "number" ? cause.errno : 0;
  const words = state ?? getSystemErrorMap().get(errno)?.[1] ?? (cause instanceof Error ? cause.message : String(cause));
  return new Error(`Cannot write "${target}": ${words}`, { cause });
}
function codeOf2(error) {
  return error instanceof Error && "code" in error ? error.code : void 0;
}
function reasonOf(attempt) {
  return attempt.then(
    () => void 0,
    (cause) => cause
  );
}

// src/output/oci-layout.ts
var { stat: stat5 } = process.getBuiltinModule("node:fs/promises");
var path5 = process.getBuiltinModule("node:path");
var options = { mode: 420, directoryMode: 493 };
async function prepareLayout(directory, { images, top }, destinations, signal) {
  const done = [];
  let isIndexReplaced = false;
  const created = await makeDirectory(path5.join(directory, "blobs", "sha256"), options.directoryMode, directory);
  const discard = async () => {
    if (isIndexReplaced) return;
    for (const pending of done.toReversed()) await pending.discard();
    await removeDirectories(created);
  };
  async function put(place, bytes) {
    const pending = await prepareFile(path5.join(directory, place), bytes, options);
    done.push(pending);
    await pending.commit();
  }
  async function putBlob(descriptor, bytes) {
    const place = path5.join("blobs", "sha256", hexOf(descriptor.digest));
    if (await sizeOf(path5.join(directory, place)) !== descriptor.size) await put(place, bytes);
  }
  try {
    for (const { image, config, manifest } of images) {
      for (const layer of image.layers) await putBlob(layerDescriptor(layer, image.family), () => layer.open(signal));
      for (const blob of [config, manifest]) await putBlob(blob.descriptor, () => bytesOf(blob));
    }
    await putBlob(top.descriptor, () => bytesOf(top));
    if (await sizeOf(path5.join(directory, "oci-layout")) === void 0)
      await put("oci-layout", () => json({ imageLayoutVersion: "1.0.0" }));
    const index = await prepareFile(path5.join(directory, "index.json"), () => json(indexOf(top, destinations)), options);
    done.push(index);
    const hadIndex = await sizeOf(path5.join(directory, "index.json")) !== void 0;
    const commit2 = async () => {
      await index.commit();
      isIndexReplaced = hadIndex;
    };
    return { target: directory, isInPlace: false, commit: commit2, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}
function indexOf(top, destinations) {
  const [only, ...others] = destinations;
  const names2 = only === void 0 || others.length > 0 ? void 0 : nameAnnotations(withDefaultTag(only));
  const annotations2 = names2 === void 0 ? top.descriptor.annotations : { ...top.descriptor.annotations, ...names2 };
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.oci.index,
    manifests: [{ ...top.descriptor, ...annotations2 === void 0 ? {} : { annotations: annotations2 } }]
  };
}
function nameAnnotations({ registry, repository, tag = "latest" }) {
  const host = registry === dockerHub ? "docker.io" : registry;
  return { "io.containerd.image.name": `${host}/${repository}:${tag}`, "org.opencontainers.image.ref.name": tag };
}
async function sizeOf(place) {
  return stat5(place).then(
    (found) => found.isFile() ? found.size : void 0,
    () => void 0
  );
}
async function* bytesOf(blob) {
  yield blob.bytes;
}
async function* json(value) {
  yield Buffer.from(JSON.stringify(value));
}

// src/output/oci-archive.ts
function archiveLayout({ images, top }, destinations, signal) {
  return archiveFiles(async (add) => {
    const done = /* @__PURE__ */ new Set();
    const addBlob = async (digest, size, open5) => {
      if (done.has(digest)) return;
      done.add(digest);
      await add(`blobs/sha256/${hexOf(digest)}`, size, open5());
    };
    for (const { image, config, manifest } of images) {
      for (const layer of image.layers) {
        const { digest, size } = layerDescriptor(layer, image.family);
        await addBlob(digest, size, () => layer.open(signal));
      }
      for (const { descriptor, bytes } of [config, manifest]) await addBlob(descriptor.digest, descriptor.size, () => [bytes]);
    }
    await addBlob(top.descriptor.digest, top.descriptor.size, () => [top.bytes]);
    for (const [name, value] of [
      ["index.json", indexOf(top, destinations)],
      ["oci-layout", { imageLayoutVersion: "1.0.0" }]
    ]) {
      const bytes = Buffer.from(JSON.stringify(value));
      await add(name, bytes.length, [bytes]);
    }
  });
}

// src/output/root-files.ts
var { randomBytes: randomBytes2 } = process.getBuiltinModule("node:crypto");
var { createReadStream: createReadStream2, createWriteStream: createWriteStream3 } = process.getBuiltinModule("node:fs");
var { chmod: chmod2, lchown, link, lstat: lstat2, lutimes, mkdir: mkdir4, readdir: readdir2, rename: rename2, rm: rm4, symlink, utimes, writeFile } = process.getBuiltinModule("node:fs/promises");
var path6 = process.getBuiltinModule("node:path");
var { pipeline: pipeline4 } = process.getBuiltinModule("node:stream/promises");
function prepareRootTar(target, items, signal) {
  return prepareFile(target, () => packItems(items(), { signal }), { mode: 420, directoryMode: 493 });
}
async function checkRootDirectory(target) {
  await findDirectory2(target);
  await checkFile(path6.join(path6.dirname(target), "x"), target);
  await checkFile(path6.join(target, "x"), target);
}
async function findDirectory2(target) {
  const found = await lstat2(target).catch(() => void 0);
  if (found !== void 0 && !found.isDirectory()) throw new Error(`Cannot write "${target}": it is no directory`);
}
async function prepareRootDirectory(target, items, signal) {
  await findDirectory2(target);
  await mkdir4(path6.dirname(target), { recursive: true });
  const temporary = path6.join(path6.dirname(target), `.${path6.basename(target)}.${randomBytes2(6).toString("hex")}`);
  const discard = () => rm4(temporary, { recursive: true, force: true });
  try {
    await mkdir4(temporary, { mode: 493 });
    await writeItems(toRaw(temporary), items(), signal);
  } catch (error) {
    await discard();
    throw error;
  }
  const commit2 = async () => {
    await merge(toRaw(temporary), toRaw(target));
    await discard();
  };
  return { target, isInPlace: false, commit: commit2, discard };
}
async function writeItems(root, items, signal) {
  const directories = [];
  for await (const { entry, content } of items) {
    signal?.throwIfAborted();
    const place = toBytes(`${root}/${entry.path}`);
    switch (entry.type) {
      case "directory":
        await mkdir4(place, { mode: 448 });
        directories.push(entry);
        continue;
      case "hardlink":
        await link(toBytes(`${root}/${entry.link}`), place);
        continue;
      case "symlink":
        await symlink(toBytes(entry.link), place);
        break;
      case "file":
        await writeContent(place, content, signal);
        break;
      default:
        throw new Error(`Cannot write "${toText(entry.path)}" to a directory: it is a device or pipe; write a tar instead`);
    }
    await setAttributes(place, entry);
  }
  for (const entry of directories.reverse()) await setAttributes(toBytes(`${root}/${entry.path}`), entry);
}
async function writeContent(place, content, signal) {
  if (content === void 0 || content.kind === "bytes") {
    await writeFile(place, content?.bytes ?? new Uint8Array(), { flag: "wx" });
    return;
  }
  const { offset, size } = content;
  const source = createReadStream2(toBytes(content.path), { start: offset, end: offset + size - 1 });
  await pipeline4(source, createWriteStream3(place, { flags: "wx" }), signal === void 0 ? {} : { signal });
}
async function setAttributes(place, { type, uid, gid, mode, mtime }) {
  if (process.getuid?.() === 0) await lchown(place, uid, gid);
  if (type === "symlink") return lutimes(place, mtime, mtime);
  await chmod2(place, mode);
  await utimes(place, mtime, mtime);
}
async function merge(from, to) {
  const there = await lstat2(toBytes(to)).catch(() => void 0);
  const isDirectory = (await lstat2(toBytes(from))).isDirectory();
  if (there?.isDirectory() && isDirectory) {
    for (const name of await readdir2(toBytes(from), { encoding: "latin1" })) await merge(`${from}/${name}`, `${to}/${name}`);
    return;
  }
  if (there !== void 0) await rm4(toBytes(to), { recursive: true, force: true });
  await rename2(toBytes(from), toBytes(to));
}

// src/output/output.ts
var path7 = process.getBuiltinModule("node:path");
async function prepareOutputs(release, outputs, destinations, tools) {
  const prepared = [];
  const discard = async () => {
    for (const pending of prepared.toReversed()) await pending.discard();
  };
  try {
    for (const [target, text] of digestTexts(release, outputs, destinations)) prepared.push(await prepareText(target, text, tools));
    const { tarPath, ociLayoutPath, ociTarPath, rootTarPath, rootPath } = outputs;
    if (rootPath !== void 0) prepared.push(await prepareRootDirectory(rootPath, tools.rootItems, tools.signal));
    if (rootTarPath !== void 0) prepared.push(await prepareRootTar(rootTarPath, tools.rootItems, tools.signal));
    if (ociTarPath !== void 0)
      prepared.push(
        await prepareFile(ociTarPath, () => archiveLayout(release, destinations, tools.signal), { mode: 420, directoryMode: 493 })
      );
    if (ociLayoutPath !== void 0) prepared.push(await prepareLayout(ociLayoutPath, release, destinations, tools.signal));
    const [image, ...others] = release.images;
    if (tarPath !== void 0 && (image === void 0 || others.length > 0))
      throw new Error(`Cannot write "${tarPath}": a tar for docker load holds one image, not one for each of several platforms`);
    if (tarPath !== void 0 && image !== void 0)
      prepared.push(
        await prepareFile(tarPath, () => archiveImage(image, destinations, tools.signal), {
          mode: 420,
          directoryMode: 493,
          signal: tools.signal
        })
      );
  } catch (error) {
    await discard();
    throw error;
  }
  return { commit: () => commitAll(prepared, discard), discard };
}
async function checkOutputs(outputs) {
  const { tarPath, ociTarPath, rootTarPath, digestFile, imageNameWithDigestFile, imageNameTagWithDigestFile } = outputs;
  const files = [digestFile, imageNameWithDigestFile, imageNameTagWithDigestFile, rootTarPath, ociTarPath, tarPath];
  for (const file of files) if (file !== void 0 && !file.startsWith("https://")) await checkFile(file);
  if (outputs.rootPath !== void 0) await checkRootDirectory(outputs.rootPath);
  if (outputs.ociLayoutPath !== void 0) await checkFile(path7.join(outputs.ociLayoutPath, "index.json"), outputs.ociLayoutPath);
}
async function commitAll(prepared, discard) {
  const ordered = [...prepared.filter((pending) => pending.isInPlace), ...prepared.filter((pending) => !pending.isInPlace)];
  try {
    for (const pending of ordered) await pending.commit();
  } catch (error) {
    await discard();
    throw error;
  }
  return prepared.map((pending) => pending.target);
}
function digestTexts({ top }, outputs, destinations) {
  const { digest } = top.descriptor;
  const names2 = destinations.map((reference) => repositoryName(reference));
  const tagged = destinations.map((reference) => `${repositoryName(reference)}:${withDefaultTag(reference).tag ?? "latest"}`);
  const lines = (subjects) => subjects.map((subject) => `${subject}@${digest}
`).join("");
  const texts = [
    [outputs.digestFile, digest],
    [outputs.imageNameWithDigestFile, lines(names2)],
    [outputs.imageNameTagWithDigestFile, lines(tagged)]
  ];
  return texts.filter((pair) => pair[0] !== void 0);
}
async function prepareText(target, text, tools) {
  if (target.startsWith("https://")) return { target, isInPlace: true, commit: () => tools.put(target, text), async discard() {
  } };
  return prepareFile(target, () => encode(text), { mode: 420, directoryMode: 448, signal: tools.signal });
}
async function* encode(text) {
  yield Buffer.from(text);
}

// src/registry/challenge.ts
var separators = /[\s,]*/y;
var token = /([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s",]*)))?/y;
function parseChallenges(lines) {
  return lines.flatMap(parseLine);
}
function parseLine(line) {
  const challenges = [];
  for (let at3 = 0; at3 < line.length; ) {
    separators.lastIndex = at3;
    separators.exec(line);
    token.lastIndex = separators.lastIndex;
    const match = token.exec(line);
    at3 = match === null ? separators.lastIndex + 1 : token.lastIndex;
    if (match === null) continue;
    const [, name = "", quoted, bare] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? bare;
    const last = challenges.at(-1);
    if (value === void 0) challenges.push({ scheme: name.toLowerCase(), parameters: {} });
    else if (last !== void 0) last.parameters[name.toLowerCase()] ??= value;
  }
  return challenges;
}

// src/registry/error.ts
var RegistryError = class extends Error {
  name = "RegistryError";
  failure;
  status;
  /** What the user could do about it. */
  hint;
  constructor(text, options2) {
    super(text, options2.cause === void 0 ? void 0 : { cause: options2.cause });
    this.failure = options2.failure;
    this.status = options2.status;
    this.hint = options2.hint;
  }
};
var statusFailures = {
  401: "unauthorized",
  403: "denied",
  404: "not-found",
  429: "rate-limited"
};
var codeFailures = {
  UNAUTHORIZED: "unauthorized",
  DENIED: "denied",
  NAME_UNKNOWN: "name-unknown",
  MANIFEST_UNKNOWN: "not-found",
  BLOB_UNKNOWN: "not-found",
  TOOMANYREQUESTS: "rate-limited"
};
async function readRefusal(response, asked) {
  const { code, message } = await readErrorBody(response);
  const byStatus = statusFailures[response.status];
  const failure3 = (response.status === 401 || response.status === 429 ? byStatus : void 0) ?? codeFailures[code ?? ""] ?? byStatus ?? (response.status >= 500 || response.status === 408 || response.status === 499 ? "unavailable" : "refused");
  const detail = [code, message === void 0 ? void 0 : `(${message})`].filter(Boolean).join(" ");
  const text = `Cannot ${asked.action}: ${asked.registry} answered ${response.status}${detail === "" ? "" : ` ${detail}`}`;
  return new RegistryError(text, { failure: failure3, status: response.status, hint: adviseRefusal(failure3, asked) });
}
async function readErrorBody(response) {
  const text = await response.bytes(64 * 1024).then(
    (bytes) => Buffer.from(bytes).toString("utf8"),
    () => ""
  );
  try {
    const { errors } = JSON.parse(text);
    const first = errors?.[0];
    const message = first?.message ?? first?.detail;
    return {
      ...typeof first?.code === "string" ? { code: shorten(first.code) } : {},
      ...typeof message === "string" && message !== "" ? { message: shorten(message) } : {}
    };
  } catch {
    return /^\s*</.test(text) || text.trim() === "" ? {} : { message: shorten(text) };
  }
}
function shorten(text) {
  const line = [...redactText(text)].map((c) => c < " " || c === "\x7F" ? " " : c).join("");
  const trimmed = line.replace(/\s+/g, " ").trim();
  return trimmed.length > 300 ? `${trimmed.slice(0, 300)}\u2026` : trimmed;
}
function adviseRefusal(failure3, { registry, credentials }) {
  const login = `run "docker login ${registry}" or set DOCKER_AUTH_CONFIG`;
  switch (failure3) {
    case "unauthorized":
      return credentials === void 0 ? `no credentials for ${registry} were found; ${login}` : `the credentials of ${credentials} were sent and not accepted; ${login}`;
    case "denied":
      return credentials === void 0 ? `no credentials for ${registry} were found; ${login}` : `the credentials of ${credentials} were sent; they lack the permission for this repository`;
    case "name-unknown":
      return "the repository does not exist there; some registries want it created first";
    case "not-found":
      return credentials === void 0 ? `check the name and the tag; if the repository is private, ${login}` : "check the name and the tag";
    case "rate-limited":
      return credentials === void 0 ? `anonymous requests are limited; ${login}` : "wait, or ask through a mirror (--registry-mirror)";
    default:
      return void 0;
  }
}
function wrapHttpError(error, asked) {
  if (!(error instanceof HttpError)) return error;
  const failure3 = error.failure === "tls" ? "tls" : error.failure === "protocol" || error.failure === "too-large" ? "invalid" : "unreachable";
  const transient = error.isTransient ? "unavailable" : failure3;
  return new RegistryError(`Cannot ${asked.action}: ${error.message}`, {
    failure: transient,
    hint: adviseFailure(error, asked),
    cause: error
  });
}
function speaksPlainHttp(error) {
  return /wrong version number|packet length too long|http request/i.test(error.message);
}
function adviseFailure(error, { registry, allowsHttp: allowsHttp2 }) {
  switch (error.failure) {
    case "tls":
      return speaksPlainHttp(error) ? `it seems to speak plain HTTP; add --insecure-registry ${registry}` : `add --registry-certificate ${registry}=FILE with the authority's certificate, or --skip-tls-verify-registry ${registry}`;
    case "refused":
    case "unreachable":
      return allowsHttp2 ? `check that ${registry} runs and can be reached from here` : `check the host and port; if it speaks plain HTTP, add --insecure-registry ${registry}`;
    case "unresolved":
      return `check the name of the registry, "${registry}"`;
    case "proxy":
      return "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY";
    default:
      return void 0;
  }
}

// src/registry/authorizer.ts
var marginMs = 1e4;
var usualLifeSeconds = 60;
var answerLimit = 1024 * 1024;
function openAuthorizer(registry, tools) {
  let challenge;
  const credentials = /* @__PURE__ */ new Map();
  const described = /* @__PURE__ */ new Map();
  const tokens = /* @__PURE__ */ new Map();
  const extraScopes = /* @__PURE__ */ new Map();
  async function findCredentials(repository) {
    let found = credentials.get(repository);
    if (found === void 0) {
      found = tools.keychain.find(registry, repository);
      credentials.set(repository, found);
      found.then((known) => known && described.set(repository, known.described)).catch(() => credentials.delete(repository));
    }
    return found;
  }
  async function fetchToken(bearer, scopes, repository, asked, signal) {
    const known = await findCredentials(repository);
    if (known?.kind === "bearer") return { value: known.token, expiresAt: Number.POSITIVE_INFINITY };
    if (/^http:/i.test(bearer.parameters.realm ?? "") && known !== void 0 && !asked.allowsHttp) {
      const hint = `add --insecure-registry ${registry} if that is wanted`;
      throw new RegistryError(`Cannot ${asked.action}: ${registry} wants credentials sent over plain HTTP`, { failure: "invalid", hint });
    }
    const response = await askForToken(tools.http, bearer, scopes, known, signal);
    if (response.status !== 200)
      throw await readRefusal(response, { ...asked, registry: new URL(response.url).host, credentials: known?.described });
    const token2 = readToken2(await response.bytes(answerLimit), asked);
    tools.report.mask(token2.value);
    return token2;
  }
  return {
    async authorize(repository, scopes, asked, signal) {
      if (challenge === void 0) return void 0;
      if (challenge.scheme === "basic") {
        const known = await findCredentials(repository);
        if (known === void 0) return void 0;
        const pair = known.kind === "password" ? `${known.username}:${known.password}` : `<token>:${known.token}`;
        return { value: `Basic ${Buffer.from(pair).toString("base64")}`, isNew: true };
      }
      const wanted = [.../* @__PURE__ */ new Set([...scopes, ...extraScopes.get(scopes.join(" ")) ?? []])];
      const key = wanted.join(" ");
      const kept = await tokens.get(key)?.coming.catch(() => void 0);
      if (kept !== void 0 && kept.expiresAt - marginMs > Date.now()) return { value: `Bearer ${kept.value}`, isNew: false };
      const entry = { coming: fetchToken(challenge, wanted, repository, asked, signal) };
      tokens.set(key, entry);
      try {
        const { value } = await entry.coming;
        entry.value = `Bearer ${value}`;
        return { value: entry.value, isNew: true };
      } catch (error) {
        if (tokens.get(key) === entry) tokens.delete(key);
        throw error;
      }
    },
    learn(response, repository, scopes, sent) {
      const offered = parseChallenges(response.headers("www-authenticate"));
      const chosen = offered.find(({ scheme: scheme2 }) => scheme2 === "bearer") ?? offered.find(({ scheme: scheme2 }) => scheme2 === "basic");
      challenge = chosen ?? challenge;
      if (chosen?.scheme === "bearer") {
        const more = (chosen.parameters.scope ?? "").split(" ").filter((scope) => scope !== "" && !scopes.includes(scope));
        extraScopes.set(scopes.join(" "), more);
      }
      credentials.delete(repository);
      for (const [key, { value }] of tokens) if (value === sent) tokens.delete(key);
      return challenge !== void 0;
    },
    describe: (repository) => described.get(repository)
  };
}
async function askForToken(http, { parameters }, scopes, credentials, signal) {
  const realm = parameters.realm ?? "";
  if (!URL.canParse(realm) || !/^https?:$/.test(new URL(realm).protocol))
    throw new RegistryError(`Cannot get a token: the registry names "${realm}" as its token server, which is no web address`, {
      failure: "invalid"
    });
  const service2 = parameters.service;
  if (credentials?.kind === "identity") {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: credentials.token,
      client_id: "slipway",
      scope: scopes.join(" ")
    });
    if (service2 !== void 0) form.set("service", service2);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return http.request("POST", realm, { headers, body: Buffer.from(form.toString()), signal, redirects: 0 });
  }
  const url2 = new URL(realm);
  if (service2 !== void 0) url2.searchParams.set("service", service2);
  for (const scope of scopes) url2.searchParams.append("scope", scope);
  if (credentials?.kind !== "password") return http.request("GET", url2.href, { signal });
  const { username, password } = credentials;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return http.request("GET", url2.href, { headers: { authorization }, signal });
}
function readToken2(bytes, asked) {
  let answer = null;
  try {
    answer = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
  }
  const value = answer?.token || answer?.access_token;
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value))
    throw new RegistryError(`Cannot ${asked.action}: the token server of ${asked.registry} gave no token`, { failure: "invalid" });
  const seconds = typeof answer?.expires_in === "number" && answer.expires_in > 0 ? answer.expires_in : usualLifeSeconds;
  return { value, expiresAt: Date.now() + seconds * 1e3 };
}

// src/registry/endpoint.ts
var { isIPv4 } = process.getBuiltinModule("node:net");
function placesOf(reference, options2) {
  const registry = normalizeRegistry(reference.registry);
  const mapped = Object.entries(options2.map).flatMap(([key, values]) => normalizeRegistry(stripScheme(key)) === registry ? values : []);
  const mirrors = registry === dockerHub ? options2.mirrors : [];
  const stand = [...mapped, ...mirrors].map((value) => placeAt(value, reference.repository));
  const own2 = { registry, repository: reference.repository };
  return stand.length > 0 && options2.skipDefaultRegistryFallback ? stand : [...stand, own2];
}
function placeAt(mirror, repository) {
  const [host = "", ...prefix] = stripScheme(mirror).replace(/\/+$/, "").split("/");
  return { registry: normalizeRegistry(host), repository: [...prefix, repository].join("/") };
}
function stripScheme(text) {
  return text.replace(/^https?:\/\//i, "");
}
function apiHost(registry) {
  return registry === dockerHub ? "registry-1.docker.io" : registry;
}
function allowsHttp(registry, direction, options2) {
  const all = direction === "push" ? options2.insecure : options2.insecurePull;
  return all || isListed2(options2.insecureRegistries, registry) || isLocal(registry);
}
function isLocal(registry) {
  const host = registry.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  if (host === "localhost" || host === "::1" || /\.local(host)?$/.test(host)) return true;
  return isIPv4(host) && /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host);
}
function tlsOf(host, direction, options2) {
  const registry = normalizeRegistry(host);
  const skipsAll = options2.skipTlsVerify || direction === "pull" && options2.skipTlsVerifyPull;
  const client = lookUp(options2.clientCertificates, registry);
  const authority = lookUp(options2.certificates, registry);
  return {
    skipVerify: skipsAll || isListed2(options2.skipTlsVerifyRegistries, registry),
    ...authority === void 0 ? {} : { authorities: [authority] },
    ...client === void 0 ? {} : { client }
  };
}
function isListed2(names2, registry) {
  return names2.some((name) => normalizeRegistry(stripScheme(name)) === registry);
}
function lookUp(table, registry) {
  return Object.entries(table).find(([name]) => normalizeRegistry(stripScheme(name)) === registry)?.[1];
}

// src/registry/client.ts
function pullScope(repository) {
  return `repository:${repository}:pull`;
}
function pushScope(repository) {
  return `repository:${repository}:pull,push`;
}
function openClient(registry, tools) {
  const { http, allowsHttp: allowsHttp2, report } = tools;
  const host = apiHost(registry);
  const authorizer = openAuthorizer(registry, tools);
  let origin;
  const describe = (call) => ({
    registry,
    action: call.action,
    credentials: authorizer.describe(call.repository),
    allowsHttp: allowsHttp2
  });
  async function findOrigin() {
    if (!allowsHttp2) return `https://${host}`;
    const scheme2 = await chooseScheme(http, host);
    if (scheme2 === "http") report.emit({ kind: "debug", text: `Speaking plain HTTP with ${registry}` });
    return `${scheme2}://${host}`;
  }
  async function resolveUrl(path14) {
    origin ??= findOrigin();
    origin.catch(() => {
      origin = void 0;
    });
    const base = new URL(await origin);
    const url2 = new URL(path14, base);
    if (url2.host === base.host && base.protocol === "https:") url2.protocol = "https:";
    return url2;
  }
  async function sendEarly(method, path14, call) {
    const isSmall = call.body === void 0 || !("open" in call.body) && call.body.byteLength === 0;
    if (origin !== void 0 || !allowsHttp2 || !isSmall || !hasPort(host) || !path14.startsWith("/")) return void 0;
    const response = await http.request(method, `http://${host}${path14}`, { ...call, tries: 1 }).catch(() => void 0);
    call.signal?.throwIfAborted();
    if (response === void 0) return void 0;
    if (!refusesPlain(response) && !isTransientStatus(response.status)) {
      origin ??= Promise.resolve(`http://${host}`);
      return (await origin).startsWith("http:") ? response : void 0;
    }
    await response.discard();
    return void 0;
  }
  async function send(method, path14, call) {
    let early = await sendEarly(method, path14, call);
    const url2 = await resolveUrl(path14);
    const isOwn = url2.host === host;
    for (let turn = 1; ; turn++) {
      const auth = isOwn ? await authorizer.authorize(call.repository, call.scopes, describe(call), call.signal) : void 0;
      const headers = { ...call.headers, ...auth === void 0 ? {} : { authorization: auth.value } };
      const response = early ?? await http.request(method, url2.href, { ...call, headers });
      early = void 0;
      const isOurs = response.status === 401 && new URL(response.url).host === host;
      if (!isOurs || turn === 3 || turn > 1 && auth?.isNew !== false) return response;
      if (!authorizer.learn(response, call.repository, call.scopes, auth?.value)) return response;
      await response.discard();
      report.emit({
        kind: "debug",
        text: `${registry} wants ${auth === void 0 ? "to know who asks" : "a new token"} for ${call.repository}`
      });
    }
  }
  async function read(path14, call, limit) {
    for (let turn = 1; ; turn++) {
      try {
        const response = await send("GET", path14, call);
        if (response.status !== 200) throw await readRefusal(response, describe(call));
        return { response, bytes: await response.bytes(limit) };
      } catch (error) {
        const isCut = error instanceof HttpError && error.isTransient;
        if (!isCut || turn === tools.backOff.tries) throw wrapHttpError(error, describe(call));
        await pause(waitBefore(turn + 1, tools.backOff) ?? 0, call.signal);
      }
    }
  }
  return {
    registry,
    send,
    read,
    refuse: (response, call) => readRefusal(response, describe(call)),
    wrap: (error, call) => wrapHttpError(error, describe(call))
  };
}
var pingMs = 15e3;
var silenceMs = 3e3;
async function chooseScheme(http, host) {
  if (!hasPort(host)) return raceSchemes(ping(http, "https", host), ping(http, "http", host));
  try {
    await ping(http, "http", host);
    return "http";
  } catch (plainError) {
    const isThere2 = plainError instanceof HttpError && (plainError.failure === "protocol" || plainError.failure === "cut");
    if (!isThere2) throw plainError;
    await ping(http, "https", host).catch((error) => {
      throw error instanceof HttpError && speaksPlainHttp(error) ? plainError : error;
    });
    return "https";
  }
}
async function ping(http, scheme2, host) {
  const url2 = `${scheme2}://${host}/v2/`;
  const response = await http.request("GET", url2, { tries: 1, redirects: 0, signal: AbortSignal.timeout(pingMs) }).catch((error) => {
    if (error instanceof HttpError) throw error;
    throw new HttpError("timeout", url2, `Cannot GET "${url2}": no answer within ${pingMs / 1e3} s`, error);
  });
  await response.discard();
  const refuses = scheme2 === "http" ? refusesPlain(response) : response.status === 400;
  if (refuses) throw new HttpError("protocol", url2, `Cannot GET "${url2}": it does not speak ${scheme2.toUpperCase()}`);
}
function refusesPlain(response) {
  const leadsAway = response.status >= 300 && response.status < 400 && /^https:/i.test(response.header("location") ?? "");
  return response.status === 400 || response.status === 426 || response.status === 497 || leadsAway || response.url.startsWith("https:");
}
function hasPort(host) {
  return /:\d+$/.test(host);
}
async function raceSchemes(secure, plain2) {
  const silence = plain2.then(
    () => new Promise((_, reject) => setTimeout(() => reject(new Error("HTTPS is silent")), silenceMs).unref()),
    () => new Promise(() => {
    })
  );
  silence.catch(() => {
  });
  try {
    await Promise.race([secure, silence]);
    return "https";
  } catch (error) {
    return plain2.then(
      () => "http",
      (plainError) => {
        const isTls = error instanceof HttpError && error.failure === "tls";
        throw isTls && !speaksPlainHttp(error) ? error : plainError;
      }
    );
  }
}

// src/registry/credential-helper.ts
var { spawn: spawn2 } = process.getBuiltinModule("node:child_process");
var timeoutMs = 6e4;
var outputLimit = 1024 * 1024;
async function askHelper(name, server, environment) {
  const program = `docker-credential-${name}`;
  const { code, output } = await runHelper(program, server, environment);
  if (code !== 0) {
    if (/credentials not found|no credentials|not logged in/i.test(output)) return void 0;
    throw new Error(`Cannot get credentials for "${server}": ${program} ended with code ${code}: ${output.trim().slice(0, 300)}`);
  }
  const answer = parseAnswer(output, program, server);
  if (!answer.Secret) return void 0;
  const described = `${answer.Username && answer.Username !== "<token>" ? `user "${answer.Username}"` : "a token"} from ${program}`;
  return answer.Username === "<token>" ? { kind: "identity", token: answer.Secret, described } : { kind: "password", username: answer.Username ?? "", password: answer.Secret, described };
}
function parseAnswer(output, program, server) {
  try {
    return JSON.parse(output);
  } catch {
    throw new SyntaxError(`Cannot get credentials for "${server}": what ${program} wrote is no JSON`);
  }
}
function runHelper(program, server, environment) {
  return new Promise((resolve, reject) => {
    const child = spawn2(program, ["get"], {
      stdio: ["pipe", "pipe", "pipe"],
      ...environment ? { env: { ...environment } } : {}
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs).unref();
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      if (output.length > outputLimit) child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      errors = `${errors}${text}`.slice(0, outputLimit);
    });
    child.on(
      "error",
      (cause) => reject(new Error(`Cannot get credentials for "${server}": ${program} does not start: ${cause.message}`, { cause }))
    );
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output: code === 0 ? output : `${output}${errors}` });
    });
    child.stdin.on("error", () => {
    });
    child.stdin.end(`${server}
`);
  });
}

// src/registry/credentials.ts
var { readFile: readFile4 } = process.getBuiltinModule("node:fs/promises");
var hubKey = "https://index.docker.io/v1/";
function openKeychain(source, report) {
  return {
    async find(registry, repository) {
      for (const config of await readConfigs(source)) {
        const found = await findIn(config, registry, repository, source.helperEnvironment);
        if (found === void 0) continue;
        for (const secret of secretsOf(found)) report.mask(secret);
        return found;
      }
      return void 0;
    }
  };
}
async function findIn(config, registry, repository, environment) {
  const names2 = registry === dockerHub ? [hubKey, dockerHub, "docker.io"] : [registry];
  const scoped2 = findScoped(config.auths, names2, repository);
  if (scoped2 !== void 0) return readEntry(scoped2, config.name);
  const helperKey = names2.find((name) => config.credHelpers[name] !== void 0);
  const helper2 = helperKey === void 0 ? config.credsStore : config.credHelpers[helperKey];
  if (helper2 !== void 0 && helper2 !== "") {
    const answer = await askHelper(helper2, helperKey ?? names2[0] ?? registry, environment);
    if (answer !== void 0) return answer;
  }
  const exact = names2.find((name) => config.auths[name] !== void 0);
  const entry = exact === void 0 ? findByHost(config.auths, registry) : config.auths[exact];
  return entry === void 0 ? void 0 : readEntry(entry, config.name);
}
function findScoped(auths, names2, repository) {
  const parts = repository.split("/");
  for (let length = parts.length; length > 0; length--) {
    const path14 = parts.slice(0, length).join("/");
    for (const name of names2) {
      const entry = auths[`${name.replace(/\/$/, "")}/${path14}`];
      if (entry !== void 0) return entry;
    }
  }
  return void 0;
}
function findByHost(auths, registry) {
  const key = Object.keys(auths).find((candidate) => normalizeRegistry(hostOf2(candidate)) === registry);
  return key === void 0 ? void 0 : auths[key];
}
function hostOf2(key) {
  return key.replace(/^[a-z]+:\/\//i, "").replace(/\/.*$/s, "");
}
function readEntry(entry, from) {
  const [username = "", password = ""] = entry.auth ? splitAuth(entry.auth) : [entry.username, entry.password];
  const described = `${username === "" ? "a token" : `user "${username}"`} from ${from}`;
  if (entry.registrytoken) return { kind: "bearer", token: entry.registrytoken, described };
  if (entry.identitytoken) return { kind: "identity", token: entry.identitytoken, described };
  if (username === "" && password === "") return void 0;
  return { kind: "password", username, password, described };
}
function splitAuth(auth) {
  const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  return colon < 0 ? ["", ""] : [text.slice(0, colon), text.slice(colon + 1)];
}
function secretsOf(credentials) {
  if (credentials.kind !== "password") return [credentials.token];
  const { username, password } = credentials;
  return password === "" ? [] : [password, Buffer.from(`${username}:${password}`).toString("base64")];
}
async function readConfigs({ json: json2, file }) {
  const configs = [];
  if (json2) configs.push(parseConfig2(json2, "DOCKER_AUTH_CONFIG"));
  if (file !== void 0) {
    const text = await readFile4(file, "utf8").catch((cause) => {
      if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return void 0;
      throw new Error(`Cannot read "${file}": ${cause.message}`, { cause });
    });
    if (text !== void 0 && text.trim() !== "") configs.push(parseConfig2(text, file));
  }
  return configs;
}
function parseConfig2(text, name) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SyntaxError(`Cannot read "${name}": it is no JSON`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw new SyntaxError(`Cannot read "${name}": it is no JSON object`);
  const { auths, credHelpers, credsStore } = value;
  return { name, auths: auths ?? {}, credHelpers: credHelpers ?? {}, credsStore };
}

// src/registry/blob.ts
var RangesIgnoredError = class extends Error {
  name = "RangesIgnoredError";
};
var progressBytes = 1024 * 1024;
async function* readBlob(sources, descriptor, { start, end }, tools) {
  let at3 = start;
  const problems = [];
  const urls = [void 0, ...descriptor.urls ?? []];
  for (const source of sources) {
    for (const url2 of urls) {
      try {
        for await (const chunk of readFrom2(
          source,
          url2,
          descriptor,
          { start: at3, end, isPart: start > 0 || end < descriptor.size },
          tools
        )) {
          at3 += chunk.byteLength;
          tools.count(chunk.byteLength);
          yield chunk;
        }
        return;
      } catch (error) {
        tools.signal?.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        problems.push(error);
        tools.report.emit({ kind: "debug", text: error.message });
      }
    }
  }
  throw problems[0];
}
async function* readFrom2(source, url2, descriptor, range, tools) {
  const { client, repository } = source;
  const { backOff, signal } = tools;
  const action = `pull layer "${client.registry}/${repository}@${descriptor.digest}"`;
  const call = { repository, scopes: [pullScope(repository)], action, signal };
  const path14 = url2 ?? `/v2/${repository}/blobs/${descriptor.digest}`;
  let at3 = range.start;
  let mark = at3;
  if (at3 === range.end && descriptor.size > 0) return;
  for (let failures2 = 0; ; ) {
    const needsRange = at3 > 0 || range.isPart;
    const headers = needsRange ? { range: `bytes=${at3}-${range.end - 1}` } : {};
    try {
      const response = await ask3(headers);
      const skip = await checkAnswer(response, { at: at3, end: range.end, size: descriptor.size, isPart: range.isPart }, client, call);
      for await (const chunk of takeBytes(response, skip, range.end - at3, client, call)) {
        at3 += chunk.byteLength;
        yield chunk;
      }
      if (at3 === range.end) return;
      throw new HttpError("cut", response.url, `it ended ${range.end - at3} bytes early`);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof HttpError)) throw error;
      failures2 = at3 - mark >= progressBytes ? 1 : failures2 + 1;
      mark = at3;
      if (failures2 >= backOff.tries) throw client.wrap(error, call);
      tools.report.emit({ kind: "debug", text: `Going on with ${descriptor.digest} at byte ${at3}: ${error.message}` });
      await pause(waitBefore(failures2 + 1, backOff) ?? 0, signal);
    }
  }
  async function ask3(headers) {
    try {
      const shortcut = url2 === void 0 ? tools.shortcuts?.get(source) : void 0;
      if (shortcut !== void 0) {
        const direct = await client.send("GET", shortcut, { ...call, headers });
        if (direct.status === 206) return direct;
        tools.shortcuts?.delete(source);
        await direct.discard();
      }
      const response = await client.send("GET", path14, { ...call, headers });
      if (response.status === 206 && new URL(response.url).host !== apiHost(client.registry)) tools.shortcuts?.set(source, response.url);
      return response;
    } catch (error) {
      signal?.throwIfAborted();
      const isGone = error instanceof HttpError && (error.failure === "refused" || error.failure === "unreachable");
      throw isGone && at3 > range.start ? error : client.wrap(error, call);
    }
  }
}
async function checkAnswer(response, { at: at3, end, size, isPart }, client, call) {
  const refuse = async (why) => {
    await response.discard();
    return new RegistryError(`Cannot ${call.action}: ${client.registry} ${why}`, { failure: "invalid", status: response.status });
  };
  const length = response.header("content-length");
  if (response.status === 206) {
    const [, from, to, total] = /^bytes\s+(\d+)-(\d+)\/(\d+|\*)$/i.exec(response.header("content-range") ?? "") ?? [];
    const isWanted = Number(from) === at3 && Number(to) === end - 1 && (total === "*" || Number(total) === size);
    if (!isWanted)
      throw await refuse(
        `was asked for bytes ${at3} to ${end - 1} of ${size} and sent "${response.header("content-range") ?? "an unnamed part"}"`
      );
    if (length !== void 0 && Number(length) > end - at3) throw await refuse(`sends ${length} bytes where ${end - at3} were asked for`);
    return 0;
  }
  if (response.status === 200) {
    if (length !== void 0 && Number(length) > size) throw await refuse(`sends ${length} bytes, the manifest says ${size}`);
    if (!isPart) return at3;
    await response.discard();
    throw new RangesIgnoredError(`${client.registry} ignores ranges`);
  }
  if (response.status === 416 && isPart) {
    await response.discard();
    throw new RangesIgnoredError(`${client.registry} refuses ranges`);
  }
  throw await client.refuse(response, call);
}
async function* takeBytes(response, skip, most, client, call) {
  let skipping = skip;
  let left = most;
  for await (const chunk of response.body) {
    const rest = skipping === 0 ? chunk : chunk.subarray(Math.min(skipping, chunk.byteLength));
    skipping -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > left)
      throw new RegistryError(`Cannot ${call.action}: ${client.registry} sends more bytes than the manifest says`, {
        failure: "invalid",
        status: response.status
      });
    left -= rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

// src/registry/limit.ts
function openLimit(most) {
  let running = 0;
  const waiting = [];
  function wait(signal) {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener("abort", stop);
        running += 1;
        resolve();
      };
      const stop = () => {
        waiting.splice(waiting.indexOf(go), 1);
        reject(signal?.reason);
      };
      expectListeners(signal);
      signal?.addEventListener("abort", stop, { once: true });
      waiting.push(go);
    });
  }
  return {
    async run(work, signal) {
      signal?.throwIfAborted();
      if (running < most) running += 1;
      else await wait(signal);
      try {
        return await work();
      } finally {
        running -= 1;
        waiting.shift()?.();
      }
    }
  };
}

// src/registry/download.ts
var { createHash: createHash2 } = process.getBuiltinModule("node:crypto");
var { open: open4, rm: rm5 } = process.getBuiltinModule("node:fs/promises");
var partedBytes = 32 * 1024 * 1024;
var partBytes = { least: 8 * 1024 * 1024, most: 64 * 1024 * 1024 };
var connections = 4;
var pieceBytes = 512 * 1024;
async function downloadBlob(sources, descriptor, blobs, tools) {
  const path14 = await blobs.temporary();
  try {
    const file = await open4(path14, "wx+", 420);
    try {
      await downloadParts(sources, descriptor, file, tools);
    } finally {
      await file.close();
    }
    return await blobs.publish(path14, descriptor.digest);
  } catch (error) {
    await rm5(path14, { force: true });
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new Error(`Cannot store ${descriptor.digest} below "${blobs.directory}": ${error.message}`, { cause: error });
  }
}
async function downloadParts(sources, descriptor, file, tools) {
  const parts = planParts(descriptor.size);
  try {
    await fillFile(sources, descriptor, parts, file, tools);
  } catch (error) {
    if (!(error instanceof RangesIgnoredError)) throw error;
    tools.report.emit({ kind: "debug", text: `${error.message}; reading ${descriptor.digest} in one piece` });
    await fillFile(sources, descriptor, [{ start: 0, end: descriptor.size }], file, tools);
  }
}
function planParts(size) {
  if (size < partedBytes) return [{ start: 0, end: size }];
  const length = Math.min(partBytes.most, Math.max(partBytes.least, Math.ceil(size / 16)));
  return Array.from({ length: Math.ceil(size / length) }, (_, i) => ({ start: i * length, end: Math.min(size, (i + 1) * length) }));
}
async function fillFile(sources, descriptor, parts, file, tools) {
  const stop = new AbortController();
  const forward = () => stop.abort(tools.signal?.reason);
  expectListeners(tools.signal);
  tools.signal?.addEventListener("abort", forward, { once: true });
  const inner = { ...tools, signal: stop.signal, shortcuts: /* @__PURE__ */ new Map() };
  const own2 = openLimit(connections);
  const digester = openDigester(file);
  const written = parts.map(
    (part) => own2.run(
      () => tools.limit.run(() => writePart(readBlob(sources, descriptor, part, inner), part.start, file, digester), stop.signal),
      stop.signal
    )
  );
  for (const part of written) part.catch((error) => stop.abort(error));
  try {
    for (const [i, part] of parts.entries()) {
      await written[i];
      await digester.readTo(part.end);
    }
    digester.check(descriptor);
  } finally {
    tools.signal?.removeEventListener("abort", forward);
    stop.abort();
    await Promise.allSettled(written);
  }
}
async function writePart(bytes, start, file, digester) {
  let at3 = start;
  let pending = [];
  let size = 0;
  const flush = async () => {
    await writeAll(file, pending, at3);
    at3 += size;
    pending = [];
    size = 0;
  };
  for await (const chunk of bytes) {
    digester.offer(chunk, at3 + size);
    pending.push(chunk);
    size += chunk.byteLength;
    if (size >= pieceBytes) await flush();
  }
  await flush();
}
async function writeAll(file, chunks, position) {
  const total = chunks.reduce((sum2, chunk) => sum2 + chunk.byteLength, 0);
  if (total === 0) return;
  const { bytesWritten } = await file.writev([...chunks], position);
  if (bytesWritten === total) return;
  await writeAll(file, [Buffer.concat(chunks).subarray(bytesWritten)], position + bytesWritten);
}
function openDigester(file) {
  const hash = createHash2("sha256");
  let at3 = 0;
  return {
    offer(chunk, position) {
      if (position !== at3) return;
      hash.update(chunk);
      at3 += chunk.byteLength;
    },
    async readTo(end) {
      const buffer = at3 < end ? Buffer.allocUnsafe(pieceBytes) : void 0;
      while (buffer !== void 0 && at3 < end) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, end - at3), at3);
        if (bytesRead === 0) throw new Error(`Cannot read back a download: the file ends at byte ${at3} of ${end}`);
        hash.update(buffer.subarray(0, bytesRead));
        at3 += bytesRead;
      }
    },
    check({ digest, size }) {
      const found = `sha256:${hash.digest("hex")}`;
      if (at3 !== size || found !== digest)
        throw new DigestMismatchError(`Cannot read blob "${digest}": its ${at3} bytes have the digest ${found}`);
    }
  };
}

// src/registry/manifest.ts
var manifestLimit = 4 * 1024 * 1024;
var configLimit = 8 * 1024 * 1024;
var indexTypes = [mediaTypes.oci.index, mediaTypes.docker.index];
var manifestTypes = [mediaTypes.oci.manifest, mediaTypes.docker.manifest];
var acceptedManifests = [...manifestTypes, ...indexTypes].join(", ");
function readManifest(bytes, contentType, name) {
  const document = readObject(bytes, name, "manifest");
  const header = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  const own2 = typeof document.mediaType === "string" ? document.mediaType : void 0;
  if (document.schemaVersion === 1 || "fsLayers" in document)
    throw unusable(name, "it is a Docker schema 1 image, a form that was given up in 2017; push it again with a current tool");
  const known = [...indexTypes, ...manifestTypes];
  if (own2 !== void 0 && known.includes(own2) && known.includes(header) && own2 !== header)
    throw broken(name, `its manifest calls itself ${own2}, the registry calls it ${header}`);
  const type = own2 ?? (known.includes(header) ? header : void 0) ?? ("manifests" in document ? mediaTypes.oci.index : mediaTypes.oci.manifest);
  if ("manifests" in document && ("layers" in document || "config" in document))
    throw broken(name, "its manifest claims to be an index too");
  if (indexTypes.includes(type)) return { kind: "index", manifests: readList(document.manifests, name).filter(isImage) };
  if (!manifestTypes.includes(type)) throw unusable(name, `it is no container image, but ${quote2(type)}`);
  const family = type === mediaTypes.docker.manifest ? "docker" : "oci";
  const config = readDescriptor(document.config, name);
  const layers = readList(document.layers, name);
  for (const layer of layers) compressionOf(layer.mediaType, name);
  return { kind: "manifest", family, config, layers };
}
function readConfig(bytes, layers, name) {
  const config = readObject(bytes, name, "configuration");
  const diffIds = config.rootfs?.diff_ids;
  const isList = Array.isArray(diffIds) || diffIds === void 0 && layers === 0 || diffIds === null;
  if (!isList) throw unusable(name, "it is no container image: its configuration lists no layers");
  const list = diffIds ?? [];
  if (!list.every((id) => typeof id === "string" && isDigest(id)))
    throw broken(name, "its configuration holds a layer digest that is not sha256");
  if (list.length !== layers) throw broken(name, `its manifest has ${layers} layers, its configuration ${list.length}`);
  const history = Array.isArray(config.history) ? config.history.filter((line) => line !== null && typeof line === "object") : void 0;
  const { history: _, ...rest } = config;
  return {
    ...rest,
    architecture: typeof config.architecture === "string" ? config.architecture : "",
    os: typeof config.os === "string" && config.os !== "" ? config.os : "linux",
    rootfs: { type: "layers", diff_ids: list },
    ...history === void 0 ? {} : { history }
  };
}
function compressionOf(mediaType, name) {
  const match = /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](gzip|zstd))?$/.exec(
    mediaType
  );
  if (match === null) throw unusable(name, `it has a layer of type ${quote2(mediaType)}, which is not supported`);
  return match[1] ?? "none";
}
function isImage({ mediaType, platform, annotations: annotations2 }) {
  const isKnown = indexTypes.includes(mediaType) || manifestTypes.includes(mediaType);
  return isKnown && platform?.os !== "unknown" && annotations2?.["vnd.docker.reference.type"] === void 0;
}
function readList(value, name) {
  if (value === null) return [];
  if (!Array.isArray(value)) throw broken(name, "its manifest lacks a list");
  return value.map((item) => readDescriptor(item, name));
}
function readDescriptor(value, name) {
  const { mediaType, digest, size, urls, annotations: annotations2, platform } = value ?? {};
  if (typeof mediaType !== "string") throw broken(name, "its manifest has an entry without a media type");
  if (typeof digest !== "string" || !isDigest(digest))
    throw broken(name, `its manifest has ${quote2(String(digest))} where a sha256 digest belongs`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw broken(name, `its manifest gives no size for ${digest}`);
  const isText = (item) => typeof item === "string";
  return {
    mediaType,
    digest,
    size,
    ...Array.isArray(urls) && urls.every(isText) && urls.length > 0 ? { urls } : {},
    ...isRecord(annotations2) && Object.values(annotations2).every(isText) ? { annotations: annotations2 } : {},
    ...isRecord(platform) && isText(platform.os) && isText(platform.architecture) ? { platform } : {}
  };
}
function readObject(bytes, name, what) {
  let value;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw broken(name, `its ${what} is no JSON`, cause);
  }
  if (!isRecord(value)) throw broken(name, `its ${what} is no JSON object`);
  return value;
}
function isRecord(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
function quote2(text) {
  return `"${text.slice(0, 120)}"`;
}
function broken(name, why, cause) {
  return new RegistryError(`Cannot read "${name}": ${why}`, { failure: "invalid", cause });
}
function unusable(name, why) {
  return new RegistryError(`Cannot use "${name}": ${why}`, { failure: "unsupported" });
}

// src/registry/resolve.ts
function openDocuments(client, place, reference, { signal, known }) {
  const name = formatReference(reference);
  const via = place.registry === reference.registry ? "" : ` from ${place.registry}`;
  const call = { repository: place.repository, scopes: [pullScope(place.repository)], action: `pull "${name}"${via}`, signal };
  return {
    name,
    keeper: client.registry,
    async manifest(which) {
      const kept = isDigest(which) ? (await known).get(which) : void 0;
      if (kept !== void 0) return { bytes: kept };
      const path14 = `/v2/${place.repository}/manifests/${which}`;
      const { response, bytes } = await client.read(path14, { ...call, headers: { accept: acceptedManifests } }, manifestLimit);
      return { bytes, contentType: response.header("content-type"), announced: response.header("docker-content-digest") };
    },
    blob: async (digest, size) => (await known).get(digest) ?? (await client.read(`/v2/${place.repository}/blobs/${digest}`, call, size)).bytes
  };
}
var deepestIndex = 3;
async function findImage(documents, which, wanted) {
  const { name } = documents;
  const top = await readDocument(documents, which.digest ?? which.tag ?? "latest", which.digest);
  if (top.document.kind === "manifest") {
    const image = await readImage(documents, top.document, top.blob);
    return {
      ...image,
      digest: top.digest,
      manifestDigest: top.digest,
      otherPlatform: platformDistance(wanted, image.platform) === void 0
    };
  }
  const found = await narrow2(documents, top.document, wanted, deepestIndex);
  if (found !== void 0) return { ...found, digest: top.digest, otherPlatform: false };
  const offers = [...new Set(top.document.manifests.flatMap(({ platform }) => platform === void 0 ? [] : formatPlatform(platform)))];
  const offered = offers.length === 0 ? "no platform at all" : offers.join(", ");
  throw new RegistryError(
    `Cannot use "${name}" for ${formatPlatform(wanted)}: no match for platform in manifest ${top.digest}; it offers ${offered}`,
    {
      failure: "unsupported"
    }
  );
}
async function narrow2(documents, index, wanted, depth) {
  if (depth === 0) return void 0;
  const distanceTo = ({ platform }) => platform === void 0 ? Number.MAX_SAFE_INTEGER : platformDistance(wanted, platform);
  const usable = index.manifests.map((descriptor) => ({ descriptor, distance: distanceTo(descriptor) })).filter((entry) => entry.distance !== void 0).sort((a, b) => a.distance - b.distance);
  for (const { descriptor } of usable) {
    const { document, digest, blob } = await readDocument(documents, descriptor.digest, descriptor.digest);
    if (document.kind === "index") {
      const inner = await narrow2(documents, document, wanted, depth - 1);
      if (inner !== void 0) return inner;
      continue;
    }
    const image = await readImage(documents, document, blob);
    if (descriptor.platform !== void 0) return { ...image, manifestDigest: digest, platform: descriptor.platform };
    if (platformDistance(wanted, image.platform) !== void 0) return { ...image, manifestDigest: digest };
  }
  return void 0;
}
async function readDocument(documents, which, expected) {
  const { name } = documents;
  const { bytes, contentType, announced } = await documents.manifest(which);
  const digest = digestOf(bytes);
  const due = expected ?? (announced?.startsWith("sha256:") ? announced : void 0);
  if (due !== void 0 && due !== digest)
    throw new RegistryError(`Cannot pull "${name}": ${documents.keeper} sent a manifest with the digest ${digest} instead of ${due}`, {
      failure: "invalid"
    });
  const document = readManifest(bytes, contentType, name);
  const mediaType = document.kind === "manifest" ? mediaTypes[document.family].manifest : mediaTypes.oci.index;
  return { document, digest, blob: { bytes, descriptor: { mediaType, digest, size: bytes.length } } };
}
async function readImage({ name, keeper, blob: readBlob2 }, manifest, blob) {
  const { digest, size } = manifest.config;
  if (size > configLimit)
    throw new RegistryError(`Cannot use "${name}": its configuration has ${size} bytes, more than ${configLimit}`, {
      failure: "unsupported"
    });
  const bytes = await readBlob2(digest, size);
  if (digestOf(bytes) !== digest)
    throw new RegistryError(
      `Cannot pull "${name}": ${keeper} sent a configuration with the digest ${digestOf(bytes)} instead of ${digest}`,
      { failure: "invalid" }
    );
  const config = alignHistory(readConfig(bytes, manifest.layers.length, name));
  const { os, architecture, variant } = config;
  const rest = { ...config["os.version"] === void 0 ? {} : { "os.version": config["os.version"] } };
  const documents = { manifest: blob, config: { bytes, descriptor: manifest.config } };
  return { manifest, config, documents, platform: { os, architecture, ...variant === void 0 ? {} : { variant }, ...rest } };
}

// src/registry/retry-whole.ts
async function retryWhole(retries, what, tools, work) {
  const backOff = { ...tools.backOff, firstMs: tools.backOff.firstMs * 2 };
  for (let turn = 1; ; turn++) {
    try {
      return await work();
    } catch (error) {
      tools.signal?.throwIfAborted();
      if (turn > retries || !(error instanceof Error) || error instanceof RegistryError && error.failure === "unsupported") throw error;
      tools.report.emit({ kind: "warning", text: `Trying again (${turn} of ${retries}) to ${what}: ${error.message}` });
      await pause(waitBefore(turn + 1, backOff) ?? 0, tools.signal);
    }
  }
}

// src/registry/pull.ts
var downloads = 8;
var triesForDigest = 2;
function openPull(options2, tools) {
  const { report, backOff, transfers } = tools;
  const images = openShared();
  const files = openShared();
  const limit = openLimit(downloads);
  const seen = /* @__PURE__ */ new Map();
  function remember5(digest, places) {
    const known = seen.get(digest) ?? [];
    const isNew = (place) => !known.some(({ registry, repository }) => registry === place.registry && repository === place.repository);
    seen.set(digest, [...known, ...places.filter(isNew)]);
  }
  function sourcesOf2(digest) {
    return (seen.get(digest) ?? []).map((place) => ({ client: tools.client(place), repository: place.repository }));
  }
  const count = (bytes) => transfers.count("pull", bytes);
  function layerAt(origin, descriptor, diffId) {
    const { digest } = descriptor;
    const compression = compressionOf(descriptor.mediaType, `${origin.registry}/${origin.repository}@${digest}`);
    const open5 = (signal) => verifyBytes(
      readBlob(sourcesOf2(digest), descriptor, { start: 0, end: descriptor.size }, { backOff, report, signal, count }),
      descriptor
    );
    return { descriptor, diffId, compression, origin, open: open5 };
  }
  async function search(reference, platform, signal, known) {
    const places = placesOf(reference, options2);
    const failures2 = [];
    for (const [i, place] of places.entries()) {
      try {
        const found = await findImage(openDocuments(tools.client(place), place, reference, { signal, known }), reference, platform);
        if (place.registry !== reference.registry)
          report.emit({ kind: "notice", text: `${formatReference(reference)} comes from ${place.registry}/${place.repository}` });
        return assemble(reference, found, places.slice(i));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        failures2.push(error);
        if (i < places.length - 1) report.emit({ kind: "warning", text: `${error.message}; asking ${places[i + 1]?.registry} instead` });
      }
    }
    throw failures2.at(-1);
  }
  function assemble(reference, found, places) {
    const { manifest, config, digest, manifestDigest, documents, platform, otherPlatform } = found;
    const [origin = { registry: reference.registry, repository: reference.repository }] = places;
    for (const descriptor of manifest.layers) remember5(descriptor.digest, places);
    const layers = manifest.layers.map((descriptor, i) => layerAt(origin, descriptor, config.rootfs.diff_ids[i]));
    return { family: manifest.family, config, layers, reference, digest, manifestDigest, documents, platform, otherPlatform };
  }
  async function download(layer, blobs, signal) {
    const { descriptor } = layer;
    const sources = sourcesOf2(descriptor.digest);
    if (sources.length === 0) return (await blobs.write(descriptor, layer.open(signal), signal)).path;
    const what = `pull layer ${descriptor.digest}`;
    return retryWhole(options2.downloadRetries, what, { report, backOff, signal }, async () => {
      for (let turn = 0; ; turn++) {
        const transfer = transfers.start("pull", `${sources[0]?.client.registry}/${sources[0]?.repository}`, descriptor);
        const counted = (bytes) => {
          count(bytes);
          transfer.add(bytes);
        };
        try {
          const order = sources.map((_, i) => sources[(i + turn) % sources.length]);
          const path14 = await downloadBlob(order, descriptor, blobs, { backOff, report, signal, limit, count: counted });
          transfer.end("transferred");
          return path14;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof DigestMismatchError)) throw error;
          const names2 = sources.map(({ client, repository }) => `${client.registry}/${repository}`).join(", ");
          const text = `Cannot pull layer from ${names2}: its bytes are wrong`;
          if (turn + 1 >= Math.max(triesForDigest, sources.length)) throw new RegistryError(text, { failure: "invalid", cause: error });
          report.emit({ kind: "warning", text: `${text} (${error.message}); reading it again` });
        }
      }
    });
  }
  return {
    resolve(given2, platform, signal, documents) {
      const reference = withDefaultTag({ ...given2, registry: normalizeRegistry(given2.registry) });
      const key = `${formatReference(reference)} ${formatPlatform(platform)}`;
      const what = `pull ${formatReference(reference)}`;
      const known = Promise.resolve(documents ?? []).then((all) => new Map(all.map((bytes) => [digestOf(bytes), bytes])));
      return images.get(
        key,
        (own2) => retryWhole(options2.downloadRetries, what, { report, backOff, signal: own2 }, () => search(reference, platform, own2, known)),
        signal
      );
    },
    layer(origin, descriptor, diffId) {
      const place = { ...origin, registry: normalizeRegistry(origin.registry) };
      remember5(descriptor.digest, [place]);
      return layerAt(place, descriptor, diffId);
    },
    async fetch(layer, blobs, signal) {
      if (layer.file !== void 0) return layer;
      const { digest } = layer.descriptor;
      if (layer.origin !== void 0) remember5(digest, [{ ...layer.origin, registry: normalizeRegistry(layer.origin.registry) }]);
      const file = await files.get(
        `${blobs.directory} ${digest}`,
        async (own2) => await blobs.has(digest) ? blobs.path(digest) : download(layer, blobs, own2),
        signal
      );
      return { ...layer, file, open: () => blobs.open(digest) };
    },
    know(place, digests) {
      for (const digest of digests) remember5(digest, [place]);
    },
    knownAt: (registry, digest) => (seen.get(digest) ?? []).filter((place) => place.registry === registry).map(({ repository }) => repository)
  };
}

// src/registry/put-manifest.ts
async function putManifest({ client, repository }, { which, name }, manifest, { report, backOff, retries, signal }) {
  const call = { repository, scopes: [pushScope(repository)], action: `push "${name}"`, signal, tries: backOff.tries };
  const path14 = `/v2/${repository}/manifests/${which}`;
  await retryWhole(retries, `push ${name}`, { report, backOff, signal }, async () => {
    for (let turn = 1; ; turn++) {
      const refusal = await putOnce(client, path14, manifest, call);
      if (refusal === void 0) return;
      const isMomentary = /\b(DIGEST_INVALID|BLOB_UNKNOWN)\b/.test(refusal.message);
      if (!isMomentary || turn >= Math.min(3, backOff.tries)) throw refusal;
      await pause(waitBefore(turn + 1, backOff) ?? 0, signal);
    }
  });
}
function hasManifest({ client, repository }, digest, signal) {
  const call = { repository, scopes: [pushScope(repository)], action: `push "${repository}@${digest}"`, signal };
  return isThere(client, `/v2/${repository}/manifests/${digest}`, digest, call);
}
async function putOnce(client, path14, manifest, call) {
  try {
    const headers = { "content-type": manifest.descriptor.mediaType };
    const response = await client.send("PUT", path14, { ...call, headers, body: manifest.bytes });
    if (response.status >= 200 && response.status < 300) {
      await response.discard();
      const stored = response.header("docker-content-digest");
      if (stored === void 0 || !stored.startsWith("sha256:") || stored === manifest.descriptor.digest) return void 0;
      throw new RegistryError(`Cannot ${call.action}: ${client.registry} stored the manifest as ${stored}`, {
        failure: "invalid",
        status: response.status
      });
    }
    const refusal = await client.refuse(response, call);
    const isSettled = response.status < 500 && await isThere(client, path14, manifest.descriptor.digest, call);
    return isSettled ? void 0 : refusal;
  } catch (error) {
    call.signal?.throwIfAborted();
    throw client.wrap(error, call);
  }
}
async function isThere(client, path14, digest, call) {
  const response = await client.send("HEAD", path14, { ...call, headers: { accept: acceptedManifests } }).catch(() => void 0);
  await response?.discard();
  return response?.status === 200 && response.header("docker-content-digest") === digest;
}

// src/registry/push.ts
function openPush(destinations, tools, outer) {
  const wanted = destinations.map((reference) => withDefaultTag({ ...reference, registry: normalizeRegistry(reference.registry) }));
  const targets = groupByRegistry(wanted, tools);
  const stop = new AbortController();
  const forward = () => stop.abort(outer?.reason);
  if (outer?.aborted) forward();
  expectListeners(outer);
  outer?.addEventListener("abort", forward, { once: true });
  const sent = /* @__PURE__ */ new Map();
  const state = { ...tools, signal: stop.signal };
  function layer(given2) {
    const { digest, mediaType } = given2.descriptor;
    if (isForeignLayer(mediaType)) return Promise.resolve();
    let coming = sent.get(digest);
    if (coming === void 0) {
      coming = sendEverywhere(targets, given2, state);
      sent.set(digest, coming);
      coming.catch(() => sent.delete(digest));
    }
    return coming;
  }
  return {
    layer,
    async finish({ images, top }) {
      try {
        if (sent.size === 0 && await isEverywhere(targets, top, state)) return await putManifests(wanted, top, state, true);
        await Promise.all(images.flatMap(({ image, config }) => [...image.layers.map(layer), sendEverywhere(targets, config, state)]));
        const parts = images.map(({ manifest }) => manifest).filter((manifest) => manifest !== top);
        await allOrFirstFailure(parts.map((manifest) => putByDigest(wanted, manifest, state)));
        return await putManifests(wanted, top, state);
      } finally {
        outer?.removeEventListener("abort", forward);
      }
    },
    async abort() {
      outer?.removeEventListener("abort", forward);
      stop.abort(new DOMException("The push was abandoned", "AbortError"));
      await Promise.allSettled(sent.values());
    }
  };
}
function groupByRegistry(references, tools) {
  const registries = /* @__PURE__ */ new Map();
  for (const { registry, repository } of references) {
    const repositories = registries.get(registry) ?? /* @__PURE__ */ new Set();
    registries.set(registry, repositories.add(repository));
  }
  return [...registries].map(([registry, repositories]) => ({ client: tools.client(registry), repositories: [...repositories] }));
}
async function sendEverywhere(targets, blob, state) {
  const send = (client, repository) => state.sender.send({ client, repository }, blob, state);
  await allOrFirstFailure(
    targets.map(async ({ client, repositories }) => {
      const [first, ...others] = repositories;
      if (first === void 0) return;
      await send(client, first);
      await allOrFirstFailure(others.map((repository) => send(client, repository)));
    })
  );
}
async function isEverywhere(targets, manifest, { signal }) {
  const answers = targets.flatMap(
    ({ client, repositories }) => repositories.map((repository) => hasManifest({ client, repository }, manifest.descriptor.digest, signal))
  );
  return (await Promise.all(answers)).every(Boolean);
}
async function putManifests(references, manifest, state, isThere2 = false) {
  const { digest } = manifest.descriptor;
  if (references.length > 1 && !isThere2) await putByDigest(references, manifest, state);
  const tagged = references.filter(({ tag }) => tag !== void 0);
  const untagged = references.length === 1 && tagged.length === 0 ? references : [];
  const outcomes = await Promise.allSettled(
    [...tagged, ...untagged].map((reference) => putOne(reference, reference.tag ?? digest, manifest, state))
  );
  state.signal.throwIfAborted();
  const failed = outcomes.findIndex(({ status: status2 }) => status2 === "rejected");
  if (failed < 0) return references.map((reference) => ({ reference, digest }));
  const { reason } = outcomes[failed];
  const put = tagged.filter((_, i) => outcomes[i]?.status === "fulfilled").map(formatReference);
  if (put.length === 0 || !(reason instanceof RegistryError)) throw reason;
  const { failure: failure3, status, hint } = reason;
  throw new RegistryError(`${reason.message}; already put: ${put.join(", ")}`, {
    failure: failure3,
    hint,
    cause: reason,
    ...status === void 0 ? {} : { status }
  });
}
async function putByDigest(references, manifest, state) {
  const { digest } = manifest.descriptor;
  const repositories = new Map(references.map((reference) => [`${reference.registry}/${reference.repository}`, reference]));
  await allOrFirstFailure([...repositories.values()].map((reference) => putOne({ ...reference, digest }, digest, manifest, state)));
}
async function putOne(reference, which, manifest, state) {
  const target = { client: state.client(reference.registry), repository: reference.repository };
  try {
    await putManifest(target, { which, name: formatReference(reference) }, manifest, state);
  } catch (error) {
    if (!state.ignoreImmutableTags || !(error instanceof RegistryError) || !sayImmutable.test(error.message)) throw error;
    state.report.emit({ kind: "warning", text: `${error.message}; the tag stays as it is, as --push-ignore-immutable-tag-errors asks` });
  }
}
var sayImmutable = /immutable|immutability|cannot be overwritten/i;
async function allOrFirstFailure(work) {
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== void 0) throw failed.reason;
}

// src/registry/repository.ts
var tries = 3;
var pageLimit = 16 * 1024 * 1024;
var mostPages = 1e3;
function openRepository({ registry, repository }, tools) {
  const { client, report, transfers, sender } = tools;
  const backOff = { ...tools.backOff, tries };
  const held = /* @__PURE__ */ new Set();
  const nameOf4 = (which) => `${registry}/${repository}${which.startsWith("sha256:") ? "@" : ":"}${which}`;
  const isMissing3 = (error) => error instanceof RegistryError && (error.failure === "not-found" || error.failure === "name-unknown");
  async function readDocument2(path14, call, limit) {
    try {
      return await client.read(path14, { ...call, tries }, limit);
    } catch (error) {
      if (isMissing3(error)) return void 0;
      throw error;
    }
  }
  return {
    registry,
    repository,
    async manifest(which, signal) {
      const call = { repository, scopes: [pullScope(repository)], action: `look up "${nameOf4(which)}"`, signal };
      const headers = { accept: acceptedManifests };
      const found = await readDocument2(`/v2/${repository}/manifests/${which}`, { ...call, headers }, manifestLimit);
      if (found === void 0) return void 0;
      const announced = found.response.header("docker-content-digest");
      const due = which.startsWith("sha256:") ? which : announced?.startsWith("sha256:") ? announced : void 0;
      const digest = digestOf(found.bytes);
      if (due === void 0 || due === digest) return found.bytes;
      throw new RegistryError(`Cannot ${call.action}: ${registry} sent a manifest with the digest ${digest} instead of ${due}`, {
        failure: "invalid"
      });
    },
    putManifest: (tag, manifest, signal) => putManifest({ client, repository }, { which: tag, name: nameOf4(tag) }, manifest, { report, backOff, retries: 0, signal }),
    async deleteManifest(digest, signal) {
      const call = { repository, scopes: [pushScope(repository)], action: `delete "${nameOf4(digest)}"`, signal };
      try {
        const response = await client.send("DELETE", `/v2/${repository}/manifests/${digest}`, { ...call, tries });
        if (response.status >= 200 && response.status < 300) {
          await response.discard();
          return true;
        }
        const refusal = await client.refuse(response, call);
        if (isMissing3(refusal)) return true;
        if (response.status === 405 || /\bUNSUPPORTED\b/.test(refusal.message)) return false;
        throw refusal;
      } catch (error) {
        signal?.throwIfAborted();
        throw client.wrap(error, call);
      }
    },
    async tags(signal) {
      const call = { repository, scopes: [pullScope(repository)], action: `list the tags of "${registry}/${repository}"`, signal };
      const tags = [];
      let path14 = `/v2/${repository}/tags/list?n=1000`;
      for (let page = 0; path14 !== void 0 && page < mostPages; page++) {
        const found = await readDocument2(path14, call, pageLimit);
        if (found === void 0) break;
        tags.push(...readTags(found.bytes, call, registry));
        path14 = nextPage(found.response.header("link"), found.response.url);
      }
      return tags;
    },
    know(digests) {
      for (const digest of digests) held.add(digest);
      tools.know({ registry, repository }, digests);
    },
    doubt: (digests) => digests.filter((digest) => held.delete(digest)).length > 0,
    async send(blob, signal) {
      if (!held.has(blob.descriptor.digest)) await sender.send({ client, repository }, blob, { retries: 0, tries, signal });
    },
    async *read(blob, signal) {
      const descriptor = { mediaType: "application/octet-stream", ...blob };
      const count = (bytes) => transfers.count("pull", bytes);
      try {
        const bytes = readBlob([{ client, repository }], descriptor, { start: 0, end: blob.size }, { backOff, report, signal, count });
        yield* verifyBytes(bytes, blob);
      } catch (error) {
        held.delete(blob.digest);
        throw error;
      }
    }
  };
}
function readTags(bytes, call, registry) {
  try {
    const { tags } = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
  } catch (cause) {
    throw new RegistryError(`Cannot ${call.action}: ${registry} sent no list`, { failure: "invalid", cause });
  }
}
function nextPage(link3, from) {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next\b/i.exec(link3 ?? "") ?? [];
  if (target === void 0 || !URL.canParse(target, from)) return void 0;
  const next = new URL(target, from);
  return next.host === new URL(from).host ? `${next.pathname}${next.search}` : void 0;
}

// src/registry/upload.ts
async function uploadBlob(target, source, mountFrom, tools) {
  const { client, repository } = target;
  const { digest } = source.descriptor;
  const call = {
    repository,
    scopes: [pushScope(repository)],
    action: `push "${client.registry}/${repository}@${digest}"`,
    signal: tools.signal,
    tries: tools.backOff.tries
  };
  try {
    if (await hasBlob(client, digest, call)) return "exists";
    let session;
    for (const from of mountFrom.filter((other) => other !== repository).slice(0, 3)) {
      const mounted = await mountBlob(client, digest, from, call, tools.report);
      if (mounted === "mounted") return mounted;
      if (session !== void 0 && mounted.session !== void 0) await cancelUpload(client, session, call);
      session = mounted.session ?? session;
    }
    await sendBlob(target, source, session, call, tools);
    return "transferred";
  } catch (error) {
    tools.signal?.throwIfAborted();
    throw client.wrap(error, call);
  }
}
async function probeUpload({ client, repository }, action, signal) {
  const call = { repository, scopes: [pushScope(repository)], action, signal };
  try {
    const session = await startUpload(client, call);
    return { cancelled: cancelUpload(client, session, { ...call, signal: AbortSignal.timeout(farewellMs) }).catch(() => {
    }) };
  } catch (error) {
    signal?.throwIfAborted();
    throw client.wrap(error, call);
  }
}
async function hasBlob(client, digest, call) {
  const response = await client.send("HEAD", `/v2/${call.repository}/blobs/${digest}`, call);
  await response.discard();
  if (response.status === 401) throw await client.refuse(response, call);
  return response.status === 200;
}
async function mountBlob(client, digest, from, call, report) {
  const path14 = `/v2/${call.repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  try {
    const response = await client.send("POST", path14, {
      ...call,
      scopes: [pushScope(call.repository), pullScope(from)],
      body: new Uint8Array()
    });
    await response.discard();
    if (response.status === 201) return "mounted";
    if (response.status === 202) return { session: locationOf(response, client, call) };
    report.emit({ kind: "debug", text: `${client.registry} answered ${response.status} to a mount of ${digest} from ${from}` });
  } catch (error) {
    call.signal?.throwIfAborted();
    if (!(error instanceof RegistryError)) throw error;
    report.emit({ kind: "debug", text: `Cannot mount ${digest} from ${from}: ${error.message}` });
  }
  return { session: void 0 };
}
async function startUpload(client, call) {
  const response = await client.send("POST", `/v2/${call.repository}/blobs/uploads/`, { ...call, body: new Uint8Array() });
  if (response.status !== 202) throw await client.refuse(response, call);
  await response.discard();
  return locationOf(response, client, call);
}
async function cancelUpload(client, session, call) {
  const response = await client.send("DELETE", session, { ...call, tries: 1 }).catch(() => void 0);
  await response?.discard();
  call.signal?.throwIfAborted();
}
function locationOf(response, client, call) {
  const location = response.header("location");
  if (location !== void 0 && URL.canParse(location, response.url)) return new URL(location, response.url).href;
  throw new RegistryError(`Cannot ${call.action}: ${client.registry} does not say where to upload to`, {
    failure: "invalid",
    status: response.status
  });
}
var farewellMs = 1500;
async function sendBlob(target, source, started, call, tools) {
  const { client } = target;
  const { signal, backOff } = tools;
  const { digest, size } = source.descriptor;
  let session = started === void 0 ? void 0 : { url: started, offset: 0 };
  const abandon = async () => {
    if (session !== void 0)
      await cancelUpload(client, session.url, { ...call, signal: AbortSignal.timeout(farewellMs) }).catch(() => {
      });
    signal?.throwIfAborted();
  };
  let best = 0;
  let failures2 = 0;
  let hasBegun = false;
  for (; ; ) {
    try {
      session ??= { url: await startUpload(client, call), offset: 0 };
      hasBegun = true;
      const response = await sendRest(client, session, source, call, tools);
      if (response.status === 201 || response.status === 204) {
        await response.discard();
        return checkStored(response, digest, client, call);
      }
      const error = await client.refuse(response, call);
      const isLost = response.status === 404 || response.status === 416 || /DIGEST_INVALID|BLOB_UPLOAD/.test(error.message);
      if (!isLost && !isTransientStatus(response.status)) throw error;
      failures2 += 1;
      if (failures2 >= (isLost ? Math.min(3, backOff.tries) : backOff.tries)) throw error;
      await pause(waitBefore(failures2 + 1, backOff, response.header("retry-after")) ?? 0, signal);
      if (isLost) {
        await cancelUpload(client, session.url, call);
        session = void 0;
        continue;
      }
    } catch (error) {
      if (signal?.aborted) await abandon();
      if (!(error instanceof HttpError) || error.failure === "tls" || error.failure === "proxy") throw error;
      failures2 += 1;
      if (failures2 >= backOff.tries || !hasBegun) throw error;
      tools.report.emit({ kind: "debug", text: `Upload of ${digest} to ${client.registry}/${call.repository} stopped: ${error.message}` });
      await pause(waitBefore(failures2 + 1, backOff) ?? 0, signal);
    }
    session = session === void 0 ? void 0 : await askWhere(client, session, size, call);
    if (session !== void 0 && session.offset > best) {
      best = session.offset;
      failures2 = 1;
    }
    tools.report.emit({ kind: "debug", text: `Going on with the upload of ${digest} at byte ${session?.offset ?? 0}` });
  }
}
async function sendRest(client, session, source, call, tools) {
  const { digest, size } = source.descriptor;
  const end = (url2) => {
    const target = new URL(url2);
    target.searchParams.set("digest", digest);
    return target.href;
  };
  const octets = { "content-type": "application/octet-stream" };
  let sent = 0;
  const body = {
    size: size - session.offset,
    open: () => {
      tools.transfer?.add(-sent);
      sent = 0;
      return observe(source.open(session.offset), (bytes) => {
        sent += bytes;
        tools.transfer?.add(bytes);
        tools.count?.(bytes);
      });
    }
  };
  try {
    if (session.offset === 0 && size > 0)
      return await client.send("PUT", end(session.url), { ...call, headers: octets, body, tries: 1, redirects: 5 });
    let url2 = session.url;
    if (session.offset < size) {
      const headers = { ...octets, "content-range": `${session.offset}-${size - 1}` };
      const response = await client.send("PATCH", url2, { ...call, headers, body, tries: 1 });
      if (response.status !== 202) return response;
      await response.discard();
      url2 = locationOf(response, client, call);
    }
    return await client.send("PUT", end(url2), { ...call, headers: octets, body: new Uint8Array(), tries: 1 });
  } catch (error) {
    tools.transfer?.add(-sent);
    throw error;
  }
}
async function askWhere(client, session, size, call) {
  try {
    const response = await client.send("GET", session.url, call);
    await response.discard();
    const [, last] = /^(?:bytes[= ])?0-(\d+)$/i.exec(response.header("range")?.trim() ?? "") ?? [];
    const location = response.header("location");
    const offset = last === void 0 || last === "0" ? 0 : Number(last) + 1;
    if (response.status >= 300 || offset === 0 || offset > size) {
      await cancelUpload(client, session.url, call);
      return void 0;
    }
    return { url: location === void 0 ? session.url : locationOf(response, client, call), offset };
  } catch (error) {
    call.signal?.throwIfAborted();
    if (error instanceof HttpError || error instanceof RegistryError) return void 0;
    throw error;
  }
}
function checkStored(response, digest, client, call) {
  const stored = response.header("docker-content-digest");
  if (stored?.startsWith("sha256:") && stored !== digest)
    throw new RegistryError(`Cannot ${call.action}: ${client.registry} stored it as ${stored}`, {
      failure: "invalid",
      status: response.status
    });
}
async function* observe(bytes, see) {
  for await (const chunk of bytes) {
    see(chunk.byteLength);
    yield chunk;
  }
}

// src/registry/sender.ts
var { createReadStream: createReadStream3 } = process.getBuiltinModule("node:fs");
var uploads = { small: 16, large: 4 };
var smallBytes = 1024 * 1024;
var readBytes = 256 * 1024;
function openSender(tools) {
  const { report, transfers } = tools;
  const limits = { small: openLimit(uploads.small), large: openLimit(uploads.large) };
  const arrivals = /* @__PURE__ */ new Map();
  async function upload({ client, repository }, blob, mountFrom, { retries, tries: tries2 = tools.backOff.tries, signal }) {
    const where = `${client.registry}/${repository}`;
    const shared2 = { backOff: { ...tools.backOff, tries: tries2 }, report, signal };
    const work = async () => {
      if ("bytes" in blob) {
        await uploadBlob({ client, repository }, sourceOf(blob, signal), mountFrom, shared2);
        return;
      }
      const transfer = transfers.start("push", where, blob.descriptor);
      const count = (bytes) => transfers.count("push", bytes);
      transfer.end(await uploadBlob({ client, repository }, sourceOf(blob, signal), mountFrom, { ...shared2, transfer, count }));
    };
    const limit = blob.descriptor.size <= smallBytes ? limits.small : limits.large;
    await limit.run(() => retryWhole(retries, `push to ${where}`, shared2, work), signal);
  }
  return {
    async send(target, blob, options2) {
      const { registry } = target.client;
      const { digest } = blob.descriptor;
      const key = `${registry} ${digest}`;
      const known = arrivals.get(key) ?? /* @__PURE__ */ new Map();
      arrivals.set(key, known);
      const here = known.get(target.repository);
      const elsewhere = [...known].filter(([repository]) => repository !== target.repository);
      const work = async () => {
        if (await orAbort(here ?? Promise.resolve(false), options2.signal)) return;
        const arrived = await orAbort(firstArrival(elsewhere), options2.signal);
        const origin = "origin" in blob && blob.origin !== void 0 ? [blob.origin] : [];
        const own2 = origin.filter((place) => normalizeRegistry(place.registry) === registry).map(({ repository }) => repository);
        await upload(target, blob, [.../* @__PURE__ */ new Set([...arrived, ...own2, ...tools.knownAt(registry, digest)])], options2);
      };
      const sent = work();
      const coming = sent.then(
        () => true,
        () => false
      );
      known.set(target.repository, coming);
      await sent;
    }
  };
}
function firstArrival(coming) {
  const successes = coming.map(async ([repository, isThere2]) => {
    if (!await isThere2) throw new Error(`"${repository}" did not get it`);
    return [repository];
  });
  return Promise.any(successes).catch(() => []);
}
function sourceOf(blob, signal) {
  const { descriptor } = blob;
  if ("bytes" in blob) return { descriptor, open: (offset) => once2(blob.bytes.subarray(offset)) };
  const { file } = blob;
  if (file !== void 0)
    return {
      descriptor,
      open: (offset) => createReadStream3(file, { start: offset, highWaterMark: readBytes, ...signal === void 0 ? {} : { signal } })
    };
  return { descriptor, open: (offset) => skipBytes(blob.open(signal), offset) };
}
async function* skipBytes(bytes, count) {
  let left = count;
  for await (const chunk of bytes) {
    const rest = chunk.subarray(Math.min(left, chunk.byteLength));
    left -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}
async function* once2(bytes) {
  yield bytes;
}

// src/registry/transfer.ts
var intervalMs = 100;
function openTransfers(report) {
  const totals = { pull: 0, push: 0 };
  return {
    start(direction, where, { digest, size }) {
      const what = `${where}@${digest}`;
      let bytes = 0;
      let toldAt = 0;
      const tell = () => {
        toldAt = Date.now();
        report.emit({ kind: "transfer", direction, what, bytes: Math.min(bytes, size), total: size });
      };
      return {
        add(more) {
          bytes = Math.max(0, bytes + more);
          if (Date.now() - toldAt >= intervalMs) tell();
        },
        end(done) {
          report.emit({ kind: "transfer", direction, what, bytes: size, total: size, done });
        }
      };
    },
    count(direction, bytes) {
      totals[direction] += bytes;
    },
    totals: () => ({ downloaded: totals.pull, uploaded: totals.push })
  };
}

// src/image/layout.ts
var scheme = "oci-layout://";
function parseLayoutReference(text) {
  if (!text.startsWith(scheme)) return void 0;
  const [place = "", digest] = text.slice(scheme.length).split(/@(?=[^/]*$)/);
  const [, directory = "", tag] = /^(.*?)(?::([^/:]*))?$/s.exec(place) ?? [];
  const fail3 = (why) => new SyntaxError(`Cannot read "${text}": ${why}`);
  if (!directory.startsWith("/")) throw fail3("its directory must be absolute");
  if (tag === "") throw fail3("its tag is empty");
  if (digest !== void 0 && !isDigest(digest)) throw fail3(`"${digest}" is no digest; it must be sha256: and 64 hex digits`);
  return { directory, ...tag === void 0 ? {} : { tag }, ...digest === void 0 ? {} : { digest } };
}
function formatImageName(name) {
  if (!("directory" in name)) return formatReference(name);
  const { directory, tag, digest } = name;
  return `${scheme}${directory}${tag === void 0 ? "" : `:${tag}`}${digest === void 0 ? "" : `@${digest}`}`;
}

// src/registry/layout.ts
var { createReadStream: createReadStream4 } = process.getBuiltinModule("node:fs");
var { readFile: readFile5, stat: stat6 } = process.getBuiltinModule("node:fs/promises");
var { join: join7 } = process.getBuiltinModule("node:path");
async function resolveLayout(reference, platform) {
  const { directory } = reference;
  const name = formatImageName(reference);
  const pathOf = (digest2) => blobPath(directory, digest2);
  const documents = {
    name,
    keeper: directory,
    manifest: async (which) => ({ bytes: await readSmall(pathOf(which), manifestLimit, name) }),
    blob: (digest2, size) => readSmall(pathOf(digest2), size, name)
  };
  const digest = reference.digest ?? (await findEntry(reference, name)).digest;
  const { manifest, ...found } = await findImage(documents, { digest }, platform);
  const layers = manifest.layers.map((descriptor, i) => {
    const diffId = found.config.rootfs.diff_ids[i];
    if (diffId === void 0) throw new Error(`Cannot use "${name}": layer ${i} has no diffId`);
    const open5 = (signal) => verifyBytes(createReadStream4(pathOf(descriptor.digest), { signal, highWaterMark: 256 << 10 }), descriptor);
    return { descriptor, diffId, compression: compressionOf(descriptor.mediaType, name), open: open5 };
  });
  return { family: manifest.family, layers, ...found };
}
function blobPath(layout, digest) {
  return join7(layout, "blobs", "sha256", hexOf(digest));
}
async function findEntry({ directory, tag }, name) {
  const bytes = await readSmall(join7(directory, "index.json"), manifestLimit, name);
  const index = readManifest(bytes, mediaTypes.oci.index, name);
  const entries = index.kind === "index" ? index.manifests : [];
  const nameOf4 = ({ annotations: annotations2 }) => annotations2?.["org.opencontainers.image.ref.name"];
  const named2 = entries.find((entry) => nameOf4(entry) === (tag ?? "latest"));
  if (named2 !== void 0) return named2;
  const [only, ...others] = entries;
  if (only !== void 0 && others.length === 0 && (tag === void 0 || nameOf4(only) === void 0)) return only;
  const tags = entries.flatMap((entry) => nameOf4(entry) ?? []);
  const offer = entries.length === 0 ? "it holds no image" : tags.length === 0 ? "its images have no tags" : `it has ${tags.join(", ")}`;
  const hint = entries.length === 0 ? void 0 : "write DIRECTORY:TAG, or DIRECTORY@DIGEST";
  throw new RegistryError(`Cannot use "${name}": there is no tag ${tag ?? "latest"}; ${offer}`, { failure: "not-found", hint });
}
async function readSmall(path14, limit, name) {
  const fail3 = (why, cause) => new RegistryError(`Cannot use "${name}": ${path14} ${why}`, { failure: "not-found", cause });
  try {
    const { size } = await stat6(path14);
    if (size > limit) throw fail3(`has ${size} bytes, more than ${limit}`);
    return await readFile5(path14);
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    throw fail3(cause instanceof Error && "code" in cause && cause.code === "ENOENT" ? "is not there" : "cannot be read", cause);
  }
}

// src/registry/base-folder.ts
var { createHash: createHash3, randomUUID: randomUUID5 } = process.getBuiltinModule("node:crypto");
var { createReadStream: createReadStream5 } = process.getBuiltinModule("node:fs");
var { mkdir: mkdir5, readdir: readdir3, readFile: readFile6, rename: rename3, rm: rm6, stat: stat7, utimes: utimes2, writeFile: writeFile2 } = process.getBuiltinModule("node:fs/promises");
var { join: join8 } = process.getBuiltinModule("node:path");
function openBaseFolder(directory, { maxAge, report }) {
  const verified = /* @__PURE__ */ new Map();
  let opened;
  function warn(text) {
    report.emit({ kind: "warning", text });
  }
  async function youngAt(place) {
    const found = await stat7(join8(place, "index.json")).catch(() => void 0);
    return found !== void 0 && Date.now() - found.mtimeMs <= maxAge * 1e3;
  }
  async function list() {
    const entries = await readdir3(directory, { withFileTypes: true }).catch((error) => {
      if (!isMissing2(error)) warn(`Cannot read base images in "${directory}": ${messageOf2(error)}; they are pulled instead`);
      return [];
    });
    const names2 = entries.filter(({ name }) => isDigest(name));
    if (names2.some((entry) => entry.isFile()))
      warn(`Base images in "${directory}" are tars of an older kaniko, which are not read; let slipway warm put them there`);
    const kept2 = await Promise.all(names2.filter((entry) => entry.isDirectory()).map(({ name }) => readKept(join8(directory, name))));
    return kept2.flatMap((one3) => one3 ?? []);
  }
  async function readKept(place) {
    if (!await youngAt(place)) return void 0;
    try {
      const index = readManifest(await readFile6(join8(place, "index.json")), mediaTypes.oci.index, place);
      const documents = [];
      for (const { digest } of index.kind === "index" ? index.manifests : []) {
        const bytes = await readSmall2(blobPath(place, digest), manifestLimit);
        const manifest = readManifest(bytes, void 0, place);
        if (manifest.kind === "manifest") documents.push(bytes, await readSmall2(blobPath(place, manifest.config.digest), configLimit));
      }
      return { place, documents };
    } catch (error) {
      warn(`Cannot use the base image in "${place}": ${messageOf2(error)}; it is pulled instead`);
      return void 0;
    }
  }
  const kept = () => {
    opened ??= list();
    return opened;
  };
  async function look({ digest, size }, signal) {
    for (const { place } of await kept()) {
      const file = blobPath(place, digest);
      if (await sizeOf2(file) !== size) continue;
      try {
        const hash = createHash3("sha256");
        for await (const chunk of createReadStream5(file, { signal, highWaterMark: 1 << 20 })) hash.update(chunk);
        if (`sha256:${hash.digest("hex")}` === digest) return file;
        warn(`Cannot use layer ${digest} in "${place}": its bytes are wrong; it is pulled instead`);
      } catch (error) {
        signal.throwIfAborted();
        warn(`Cannot use layer ${digest} in "${place}": ${messageOf2(error)}; it is pulled instead`);
      }
    }
    return void 0;
  }
  return {
    documents: async () => (await kept()).flatMap(({ documents }) => documents),
    find(layer, signal) {
      const found = verified.get(layer.digest) ?? look(layer, signal);
      verified.set(layer.digest, found);
      return found;
    },
    async keep(image, { force, signal, fetch }) {
      const place = join8(directory, image.manifestDigest);
      if (!force && await isWhole(place, image)) {
        const now = /* @__PURE__ */ new Date();
        if (!await youngAt(place)) await utimes2(join8(place, "index.json"), now, now);
        return false;
      }
      const temporary = join8(directory, `.warming-${randomUUID5()}`);
      try {
        await mkdir5(temporary, { recursive: true });
        const blobs = await openBlobs(temporary);
        await Promise.all(image.layers.map((layer) => fetch(layer, blobs, signal)));
        for (const { descriptor, bytes } of Object.values(image.documents)) await writeFile2(blobs.path(descriptor.digest), bytes);
        await rm6(join8(temporary, "blobs", "unfinished"), { recursive: true });
        await writeFile2(join8(temporary, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
        await writeFile2(join8(temporary, "index.json"), JSON.stringify(indexOf2(image)));
        signal.throwIfAborted();
        await replace(place, temporary);
        return true;
      } finally {
        await rm6(temporary, { recursive: true, force: true });
      }
    }
  };
}
async function isWhole(place, image) {
  const { manifest, config } = image.documents;
  const sizes = [manifest, config, ...image.layers].map(({ descriptor }) => descriptor);
  const found = await Promise.all(sizes.map(async ({ digest, size }) => await sizeOf2(blobPath(place, digest)) === size));
  return found.every(Boolean) && await sizeOf2(join8(place, "index.json")) !== void 0;
}
async function replace(place, temporary) {
  const old = `${temporary}.old`;
  await rename3(place, old).catch((error) => {
    if (!isMissing2(error)) throw error;
  });
  try {
    await rename3(temporary, place);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST"))) throw error;
  } finally {
    await rm6(old, { recursive: true, force: true });
  }
}
function indexOf2({ documents, reference, platform }) {
  const annotations2 = { "org.opencontainers.image.ref.name": formatReference(reference) };
  const manifests = [{ ...documents.manifest.descriptor, platform, annotations: annotations2 }];
  return { schemaVersion: 2, mediaType: mediaTypes.oci.index, manifests };
}
async function readSmall2(file, limit) {
  const { size } = await stat7(file);
  if (size > limit) throw new Error(`"${file}" has ${size} bytes, more than ${limit}`);
  return readFile6(file);
}
async function sizeOf2(file) {
  return stat7(file).then(
    (found) => found.isFile() ? found.size : void 0,
    () => void 0
  );
}
function isMissing2(error) {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
function messageOf2(error) {
  return error instanceof Error ? error.message : String(error);
}

// src/registry/registry.ts
function openRegistry(options2, tools) {
  const { report } = tools;
  const backOff = { ...defaultBackOff, ...tools.backOff };
  const keychain = openKeychain(options2.dockerConfig, report);
  const transfers = openTransfers(report);
  const farewells = [];
  const https = { pull: openHttpFor("pull"), push: openHttpFor("push") };
  const clients = { pull: /* @__PURE__ */ new Map(), push: /* @__PURE__ */ new Map() };
  function openHttpFor(direction) {
    const { userAgent, proxies, roots } = options2;
    const tlsFor = (host) => tlsOf(host, direction, options2);
    return openHttp({ userAgent, proxies, roots, tlsFor, backOff, ...tools.timeouts === void 0 ? {} : { timeouts: tools.timeouts } });
  }
  function clientOf(direction, registry) {
    const known = clients[direction].get(registry);
    if (known !== void 0) return known;
    const http = https[direction];
    const client = openClient(registry, { http, keychain, report, backOff, allowsHttp: allowsHttp(registry, direction, options2) });
    clients[direction].set(registry, client);
    return client;
  }
  const ours = /* @__PURE__ */ new Map();
  const pullClient = (place) => clientOf(ours.has(repositoryName(place)) ? "push" : "pull", place.registry);
  const pull = openPull(options2, { report, backOff, transfers, client: pullClient });
  const sender = openSender({ report, backOff, transfers, knownAt: pull.knownAt });
  const { pushRetries: retries, ignoreImmutableTags } = options2;
  const pushTools = { report, backOff, sender, retries, ignoreImmutableTags, client: (registry) => clientOf("push", registry) };
  function openOurs(place) {
    const client = clientOf("push", place.registry);
    return openRepository(place, { client, report, backOff, transfers, sender, know: pull.know });
  }
  return {
    http: https.pull,
    resolve: pull.resolve,
    layer: pull.layer,
    fetch: pull.fetch,
    async checkPush(destinations, signal) {
      const distinct2 = new Map(destinations.map((reference) => [repositoryName(reference), reference]));
      const probes = [...distinct2.values()].map((reference) => {
        const target = { client: clientOf("push", normalizeRegistry(reference.registry)), repository: reference.repository };
        return probeUpload(target, `push to "${repositoryName(reference)}"`, signal);
      });
      for (const { cancelled } of await Promise.all(probes)) farewells.push(cancelled);
    },
    openPush: (destinations, signal) => openPush(destinations, pushTools, signal),
    repository({ registry, repository }) {
      const place = { registry: normalizeRegistry(registry), repository };
      const opened = ours.get(repositoryName(place)) ?? openOurs(place);
      ours.set(repositoryName(place), opened);
      return opened;
    },
    transferred: () => transfers.totals(),
    async close() {
      await Promise.all(farewells);
      await Promise.all([https.pull.close(), https.push.close()]);
    }
  };
}

// src/sandbox/sandbox.ts
var { join: join9 } = process.getBuiltinModule("node:path");
var sandboxNames = ["ns", "userns", "chroot", "inplace", "userns-single", "chroot-bare"];
async function surveySandboxes(tools) {
  const { surveyRungs } = await import("./sandbox-survey.mjs");
  return surveyRungs(tools);
}
async function pruneCaches(stateDir, limits, tools) {
  const prune2 = await import("./sandbox-prune-caches.mjs");
  return prune2.pruneCaches(join9(stateDir, "caches"), limits, tools);
}
async function openSandbox(choice, options2) {
  const { chooseSandbox } = await import("./sandbox-choose.mjs");
  return chooseSandbox(choice, options2);
}

// src/build/failure.ts
function placesIn(file, source) {
  return ({ line, endLine, isTrigger }, part) => {
    const exact = part === void 0 || isTrigger ? void 0 : locatePart(source, line, part);
    return { file, source, line, endLine, ...exact === void 0 ? {} : { exact } };
  };
}
var BuildFailure = class extends Error {
  phase;
  /** 1, or the exit status of the RUN that failed. */
  exitCode;
  place;
  /** What of the instruction is wrong, told by what does not know where that stands. */
  part;
  /** One thing to try. */
  hint;
  /** The last lines that a failed command wrote. */
  output;
  constructor(message, details = {}) {
    super(message, details.cause === void 0 ? void 0 : { cause: details.cause });
    this.name = "BuildFailure";
    this.phase = details.phase ?? "building image";
    this.exitCode = details.exitCode ?? 1;
    this.place = details.place;
    this.part = details.part;
    this.hint = details.hint;
    this.output = details.output ?? [];
  }
};
async function during(phase2, work) {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BuildFailure || !(error instanceof Error) || error.name === "AbortError") throw error;
    throw new BuildFailure(error.message, { phase: phase2, hint: hintOf(error), cause: error });
  }
}
async function blaming(part, action) {
  try {
    return await action();
  } catch (error) {
    if (error instanceof BuildFailure || !(error instanceof Error) || error.name === "AbortError") throw error;
    throw new BuildFailure(error.message, { part, hint: hintOf(error), cause: error });
  }
}
function hintOf(error) {
  return error instanceof Error && "hint" in error && typeof error.hint === "string" ? error.hint : void 0;
}

// src/build/fetching.ts
var { randomUUID: randomUUID6 } = process.getBuiltinModule("node:crypto");
var { join: join10 } = process.getBuiltinModule("node:path");
function fetchTools(request2, { http }, { signal, stdin, ssh }) {
  const { secrets } = request2;
  const { proxies, roots } = request2.registry;
  const makeDirectory3 = () => makeWorkDirectory(request2);
  return { http, secrets, signal, stdin, proxies, authorities: roots.files, sshAgent: ssh.get("default"), makeDirectory: makeDirectory3 };
}
function contextOptions(request2) {
  const { buildArgs, contextSubPath: subPath } = request2;
  const keepGitDir = /^(?:1|t|T|TRUE|true|True)$/.test(buildArgs.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR") ?? "");
  return { ...request2, subPath, keepGitDir, mtime: buildArgs.get("SOURCE_DATE_EPOCH") ? "commit" : "checkout" };
}
async function makeWorkDirectory({ stateDir }) {
  const directory = join10(stateDir, "work", randomUUID6());
  await makeStateDirectory(directory);
  return directory;
}
async function makeStateDirectory(directory) {
  try {
    await makeDirectories(directory, 448);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot make the state directory "${directory}": ${why}; give another with --state-dir`, { cause });
  }
}
function secretsOf2({ secrets, git, context, dockerfile, buildContexts }) {
  const { username = "", password = "" } = git.credentials ?? {};
  const userinfos = [context, dockerfile, ...buildContexts.values()].flatMap(splitUserinfo2);
  return [
    ...[...secrets.values()].map((secret) => Buffer.from(secret).toString("utf8")),
    ...[[username, password], ...userinfos].flatMap(([user = "", secret = ""]) => secret === "" ? [user] : [secret])
  ];
}
function splitUserinfo2(address) {
  const [, userinfo] = /^(?!ssh:)[a-z][a-z0-9+.-]*:\/\/([^/?#]*)@/i.exec(address) ?? [];
  if (userinfo === void 0) return [];
  const parts = userinfo.split(":");
  return [parts, parts.map(decode3)];
}
function decode3(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// src/build/agents.ts
async function openAgents(request2) {
  const sockets = /* @__PURE__ */ new Map();
  const sets = /* @__PURE__ */ new Map();
  for (const [id, source] of request2.ssh) {
    if (source.kind === "socket") sockets.set(id, source.path);
    else {
      const keys3 = source.files.map((file) => readKey(file, id));
      sets.set(id, keys3);
    }
  }
  if (sets.size === 0) return { sockets, async close() {
  } };
  const directory = await makeWorkDirectory(request2);
  const opened = [];
  const close = async () => {
    await Promise.all(opened.map((agent) => agent.close()));
    await removeTree(directory);
  };
  try {
    for (const [id, keys3] of sets) {
      const agent = await openAgent(keys3, directory, String(opened.length));
      opened.push(agent);
      sockets.set(id, agent.path);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { sockets, close };
}
function readKey({ path: path14, bytes }, id) {
  try {
    return readPrivateKey(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BuildFailure(`Cannot use the key "${path14}" of --ssh ${id}: ${why}`, {
      hint: "give an unencrypted private key, or ssh-add it to an ssh-agent and pass its socket"
    });
  }
}

// src/build/assemble.ts
var zeroTime = "0001-01-01T00:00:00Z";
function assembleImage(plan, stages, target, options2) {
  const stage = plan.stages[target];
  const built = stages[target];
  if (stage === void 0 || built === void 0) throw new Error("Cannot assemble image: its target was not built");
  const { made } = built;
  const fixedTime = options2.reproducible ? zeroTime : plan.epoch === void 0 ? void 0 : new Date(plan.epoch * 1e3).toISOString().replace(".000Z", "Z");
  const history = timeHistory(stage, made, fixedTime, options2.now);
  const created = fixedTime ?? history.at(-1)?.created ?? options2.now;
  const config = {
    ...stage.config,
    created,
    rootfs: { type: "layers", diff_ids: options2.layers.map((layer) => layer.diffId) },
    history
  };
  return { family: options2.imageFormat ?? familyOf(built, options2.layers), config, layers: options2.layers };
}
function familyOf({ family }, layers) {
  return layers.some(({ compression }) => compression === "zstd") ? "oci" : family;
}
function timeHistory(stage, made, fixedTime, now) {
  const lines = stage.config.history ?? [];
  let next = 0;
  let time = made[0]?.created ?? now;
  return lines.map((line, i) => {
    if (i < stage.inheritedHistory) return line;
    if (!line.empty_layer) time = made[next++]?.created ?? time;
    return { created: fixedTime ?? time, ...line };
  });
}

// src/cache/key.ts
var { createHash: createHash4 } = process.getBuiltinModule("node:crypto");
var version = "slipway-cache-1";
function keyOf(domain, parts) {
  const hash = createHash4("sha256");
  const add = (part) => {
    hash.update(`${typeof part === "string" ? Buffer.byteLength(part) : part.length}:`);
    hash.update(part);
  };
  add(version);
  add(domain);
  for (const part of parts) add(part);
  return hash.digest("hex");
}

// src/cache/record.ts
var { createHmac, timingSafeEqual } = process.getBuiltinModule("node:crypto");
var version2 = 1;
function encodeRecord(key, record, secret) {
  const body = JSON.stringify({ version: version2, key, ...record });
  return Buffer.from(secret === void 0 ? body : `${body}
${signatureOf(body, secret)}`);
}
function decodeRecord(key, bytes, secret) {
  const [body = "", signature = ""] = Buffer.from(bytes).toString("utf8").split("\n");
  if (secret !== void 0 && !isSame(signature, signatureOf(body, secret)))
    throw new Error(signature === "" ? "it is not signed" : "its signature does not fit the secret of --cache-key-secret");
  const value = JSON.parse(body);
  if (!isObject(value) || value.version !== version2) throw new Error("it is of another version");
  if (value.key !== key) throw new Error("it belongs to another key");
  if (value.kind === "note") return { kind: "note", value: value.value };
  if (value.kind === "last" && Array.isArray(value.chains) && value.chains.every(isStage))
    return { kind: "last", value: value.value, chains: value.chains };
  if (value.kind === "index" && isDigestOf(value.diffId) && isBlob(value.index))
    return { kind: "index", diffId: value.diffId, index: value.index };
  if (value.kind === "chain" && typeof value.fidelity === "string" && Array.isArray(value.layers) && value.layers.every(isLayer))
    return { kind: "chain", layers: value.layers, fidelity: value.fidelity };
  throw new Error("it is no record");
}
function signatureOf(body, secret) {
  return createHmac("sha256", secret).update(body).digest("hex");
}
function isSame(a, b) {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
function isObject(value) {
  return typeof value === "object" && value !== null;
}
function isDigestOf(value) {
  return typeof value === "string" && isDigest(value);
}
function isBlob(value) {
  return isObject(value) && isDigestOf(value.digest) && Number.isSafeInteger(value.size);
}
function isStage(value) {
  if (!isObject(value) || typeof value.fidelity !== "string" || !Array.isArray(value.layers) || !Array.isArray(value.keys)) return false;
  return value.layers.every(isLayer) && value.keys.length <= value.layers.length && value.keys.every((key) => typeof key === "string");
}
function isLayer(value) {
  if (!isObject(value) || !isDigestOf(value.diffId) || !isBlob(value.index)) return false;
  const { variants, created, seconds } = value;
  const isTimed = typeof created === "string" && !Number.isNaN(Date.parse(created)) && typeof seconds === "number";
  return isTimed && Array.isArray(variants) && variants.length > 0 && variants.every(isVariant);
}
function isVariant(value) {
  const isKnown = isObject(value) && typeof value.compressor === "string";
  return isKnown && (value.compression === "gzip" || value.compression === "zstd") && isBlob(value);
}

// src/cache/store.ts
var recordLimit = 1024 * 1024;
var worthNoting = 24 * 3600;

// src/cache/joint-stores.ts
function joinStores({ stores: stores2, readOnly, secret, scope, readScopes, report, signal }) {
  const warned = /* @__PURE__ */ new Set();
  const writing = /* @__PURE__ */ new Set();
  const broken2 = /* @__PURE__ */ new Set();
  const scopes = [.../* @__PURE__ */ new Set([scope, ...readScopes])];
  let isClosed = false;
  function warn(text) {
    if (signal.aborted || warned.has(text)) return;
    warned.add(text);
    report.emit({ kind: "warning", text });
  }
  function giveUp(store2, text) {
    if (!broken2.has(store2)) warn(text);
    broken2.add(store2);
  }
  async function ask3(store2, names2) {
    if (broken2.has(store2)) return /* @__PURE__ */ new Map();
    try {
      return await store2.find(names2, signal);
    } catch (error) {
      signal.throwIfAborted();
      giveUp(store2, `Cannot read the cache in ${store2.name}: ${messageOf3(error)}; the build goes on without it`);
      return /* @__PURE__ */ new Map();
    }
  }
  function track(work) {
    const done = work.catch((error) => warn(`Cannot keep a layer in the cache: ${messageOf3(error)}`));
    writing.add(done);
    void done.then(() => writing.delete(done));
  }
  return {
    warn,
    track,
    async look(keys3, accept) {
      const found = /* @__PURE__ */ new Map();
      const names2 = new Map(keys3.flatMap((key) => scopes.map((one3) => [scoped(one3, key), key])));
      const answers = await Promise.all(stores2.map((store2) => ask3(store2, [...names2.keys()])));
      for (const [i, answer] of answers.entries())
        for (const [name, bytes] of answer) {
          const [key, store2] = [names2.get(name), stores2[i]];
          if (key === void 0 || store2 === void 0 || found.has(key)) continue;
          try {
            const record = accept(decodeRecord(name, bytes, secret));
            if (record !== void 0) found.set(key, { record, store: store2 });
          } catch (error) {
            warn(`Cannot use an entry of the cache in ${store2.name}: ${messageOf3(error)}; it counts as missing`);
          }
        }
      return found;
    },
    fits: (key, record) => encodeRecord(scoped(scope, key), record, secret).byteLength <= recordLimit,
    write(key, record, blobs, isLost) {
      if (readOnly || blobs.some(isLost)) return;
      const name = scoped(scope, key);
      const bytes = encodeRecord(name, record, secret);
      for (const store2 of stores2) {
        if (broken2.has(store2)) continue;
        const put = store2.put({ key: name, bytes, blobs }, signal).catch((error) => {
          if (blobs.some(isLost)) return;
          giveUp(store2, `Cannot write to the cache in ${store2.name}: ${messageOf3(error)}; nothing more is written to it`);
        });
        track(put);
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      while (writing.size > 0) await Promise.all(writing);
      if (readOnly) return;
      for (const store2 of stores2)
        await store2.close(signal).catch((error) => warn(`Cannot write to the cache in ${store2.name}: ${messageOf3(error)}`));
    }
  };
}
function scoped(scope, key) {
  return scope === "" ? key : keyOf("scope", [scope, key]);
}
function messageOf3(error) {
  if (!(error instanceof Error)) return String(error);
  return "hint" in error && typeof error.hint === "string" ? `${error.message} (${error.hint})` : error.message;
}

// src/cache/last-build.ts
var LastBuild = class {
  #hints = /* @__PURE__ */ new Map();
  #stages = /* @__PURE__ */ new Map();
  #text;
  store;
  constructor({ record, store: store2 }) {
    this.store = store2;
    this.#text = JSON.stringify(record);
    for (const stage of record.chains) {
      this.#stages.set(stage.keys.join(), stage);
      const below = stage.layers.length - stage.keys.length;
      for (const [i, state] of stage.keys.entries()) {
        if (stage.fidelity !== "full" && i + 1 < stage.keys.length) continue;
        this.#hints.set(state, { kind: "chain", layers: stage.layers.slice(0, below + i + 1), fidelity: stage.fidelity });
      }
    }
  }
  /** What a stage had after a step. */
  hint(key) {
    const record = this.#hints.get(key);
    return record && { record, store: this.store };
  }
  /** What it had of a stage with just these steps. */
  stage(keys3) {
    return this.#stages.get(keys3.join());
  }
  is(record) {
    return JSON.stringify(record) === this.#text;
  }
};
function needsAny({ variants, index }, lost) {
  return lost.has(index.digest) || variants.some(({ digest }) => lost.has(digest));
}

// src/cache/stored-blobs.ts
function openStoredBlobs(tools) {
  const bad = /* @__PURE__ */ new Set();
  const lost = /* @__PURE__ */ new Set();
  const origins = /* @__PURE__ */ new Map();
  let blamed = 0;
  function blame(digest, error) {
    const name = origins.get(digest);
    if (name === void 0) return false;
    tools.warn(`Cannot use layer ${digest} of the cache in ${name}: ${messageOf3(error)}; what needs it is built again`);
    if (!bad.has(digest)) blamed += 1;
    bad.add(digest);
    tools.forget(digest);
    return true;
  }
  function openBlob(descriptor, store2) {
    async function* open5(own2) {
      try {
        yield* store2.read(descriptor, own2);
      } catch (error) {
        if (!tools.signal.aborted && !own2?.aborted) {
          lost.add(open5);
          blame(descriptor.digest, error);
          bad.add(descriptor.digest);
        }
        throw error;
      }
    }
    return { descriptor, open: open5, ...store2.origin === void 0 ? {} : { origin: store2.origin } };
  }
  return {
    open: openBlob,
    openLayer({ compression, digest, size }, store2) {
      origins.set(digest, store2.name);
      return openBlob({ mediaType: mediaTypes.oci.layer[compression], digest, size }, store2);
    },
    blame,
    isLost: ({ open: open5 }) => lost.has(open5),
    bad,
    get blamed() {
      return blamed;
    }
  };
}

// src/cache/ci-entry.ts
var { createHash: createHash5 } = process.getBuiltinModule("node:crypto");
var WriteDeniedError = class extends Error {
  name = "WriteDeniedError";
};
var entryVersion = createHash5("sha256").update("slipway cache 1").digest("hex");
var mostAnswer = 1 << 20;
async function ask2(http, method, url2, options2) {
  const response = await http.request(method, url2, options2);
  const text = Buffer.from(await response.bytes(mostAnswer)).toString();
  return { status: response.status, body: parseObject(text), text };
}
function jsonBody(value) {
  return Buffer.from(JSON.stringify(value));
}
function refusalOf({ status, body, text }, action) {
  const said = [body.code, body.msg ?? body.message ?? body.error ?? /<Code>([^<]*)/.exec(text)?.[1]].filter((part) => part !== void 0);
  const detail = said.length === 0 ? "" : ` (${redactText(said.join(": "))})`;
  return new Error(`Cannot ${action}: the cache service answered ${status}${detail}`);
}
var deniedPrefix = "cache write denied:";
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

// src/cache/last-use.ts
function lastUses(records) {
  const naming = /* @__PURE__ */ new Map();
  for (const record of records)
    for (const { digest } of record.blobs) {
      const known = naming.get(digest);
      if (known === void 0) naming.set(digest, /* @__PURE__ */ new Set([record]));
      else known.add(record);
    }
  return new Map(
    records.map((record) => {
      const named2 = record.blobs.map(({ digest }) => naming.get(digest) ?? /* @__PURE__ */ new Set()).sort((a, b) => a.size - b.size);
      let { usedAt } = record;
      for (const other of named2[0] ?? []) if (other.usedAt > usedAt && named2.every((those) => those.has(other))) usedAt = other.usedAt;
      return [record, usedAt];
    })
  );
}
function outermost(records) {
  const kept = [];
  const sets = [];
  for (const record of records.toSorted((a, b) => b.blobs.length - a.blobs.length)) {
    const isInside = record.blobs.length > 0 && sets.some((set) => record.blobs.every(({ digest }) => set.has(digest)));
    if (isInside) continue;
    kept.push(record);
    sets.push(new Set(record.blobs.map(({ digest }) => digest)));
  }
  return kept;
}

// src/cache/ci-index.ts
var { promisify: promisify2 } = process.getBuiltinModule("node:util");
var { gunzip, gzip } = process.getBuiltinModule("node:zlib");
var emptyIndex = { records: /* @__PURE__ */ new Map(), blobs: /* @__PURE__ */ new Map() };
var format = "slipway cache index 1";
var keyPattern = /^[0-9a-f]{64}$/;
var packPattern = /^slipway-[a-z0-9-]+$/;
var mostBytes = 64 << 20;
async function encodeIndex3({ records, blobs }) {
  const packs = [...new Set([...blobs.values()].map(({ pack }) => pack))];
  const packNumbers = new Map(packs.map((pack, i) => [pack, i]));
  const blobNumbers = new Map([...blobs.keys()].map((digest, i) => [digest, i]));
  const document = {
    format,
    packs,
    blobs: [...blobs].map(([digest, { pack, offset, size }]) => [digest, packNumbers.get(pack) ?? 0, offset, size]),
    records: [...records].map(([key, record]) => {
      const numbers = record.blobs.map((digest) => blobNumbers.get(digest) ?? 0);
      return [key, record.used, Buffer.from(record.bytes).toString("base64"), numbers];
    })
  };
  return promisify2(gzip)(Buffer.from(JSON.stringify(document)));
}
async function decodeIndex2(bytes) {
  const text = (await promisify2(gunzip)(bytes, { maxOutputLength: mostBytes })).toString();
  const document = JSON.parse(text);
  check(document.format === format, "its format");
  const packs = document.packs.map((pack) => checked(pack, packPattern.test(pack), "an entry's key"));
  const blobs = document.blobs.map(([digest, pack, offset, size]) => {
    check(isDigest(digest) && isCount(offset) && isCount(size), "a blob");
    return [digest, { pack: at2(packs, pack), offset, size }];
  });
  const digests = blobs.map(([digest]) => digest);
  const records = document.records.map(([key, used, base64, numbers]) => {
    check(keyPattern.test(key) && isCount(used) && typeof base64 === "string", "a record");
    return [key, { used, bytes: Buffer.from(base64, "base64"), blobs: numbers.map((number) => at2(digests, number)) }];
  });
  return { records: new Map(records), blobs: new Map(blobs) };
}
function byLastUse({ records }) {
  const named2 = [...records].map(([key, record]) => ({
    key,
    record,
    usedAt: record.used,
    blobs: record.blobs.map((digest) => ({ digest }))
  }));
  return [...lastUses(named2)].map(([{ key, record }, used]) => [key, record, used]).sort(([, , a], [, , b]) => b - a);
}
function boundIndex(index, limits) {
  const { blobs } = index;
  const kept = [];
  const places = /* @__PURE__ */ new Map();
  const packs = /* @__PURE__ */ new Set();
  let blobBytes = 0;
  let recordBytes = 0;
  for (const [key, record] of byLastUse(index)) {
    const needed = new Map(record.blobs.filter((digest) => !places.has(digest)).map((digest) => [digest, blobs.get(digest)]));
    const found = [...needed].filter((entry) => entry[1] !== void 0);
    const more = found.reduce((sum2, [, { size }]) => sum2 + size, 0);
    const morePacks = new Set(found.map(([, { pack }]) => pack).filter((pack) => !packs.has(pack)));
    const fits = found.length === needed.size && blobBytes + more <= limits.maxBytes && recordBytes + record.bytes.length <= limits.maxRecordBytes && packs.size + morePacks.size <= limits.maxPacks;
    if (!fits) continue;
    kept.push([key, record]);
    for (const [digest, place] of found) places.set(digest, place);
    for (const pack of morePacks) packs.add(pack);
    blobBytes += more;
    recordBytes += record.bytes.length;
  }
  return { records: new Map(kept), blobs: places };
}
function joinIndexes(first, second) {
  return { records: new Map([...second.records, ...first.records]), blobs: new Map([...second.blobs, ...first.blobs]) };
}
function check(holds, what) {
  if (!holds) throw new SyntaxError(`${what} is not as it should be`);
}
function checked(value, holds, what) {
  check(holds, what);
  return value;
}
function at2(list, index) {
  const found = list[index];
  check(found !== void 0, "a reference");
  return found;
}
function isCount(value) {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

// src/cache/ci-transfer.ts
var defaultSizes = { sent: 8 << 20, sentAtOnce: 8, read: 4 << 20, readAtOnce: 4 };
var mostRefusal = 1 << 20;
async function sendEntry(reservation, bytes, sizes, signal) {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const free = [];
  const parts = splitParts(bytes, () => free.pop() ?? Buffer.allocUnsafeSlow(sizes.sent));
  let size = 0;
  const sendParts = async () => {
    for (let next = await parts.next(); !next.done; next = await parts.next()) {
      const { buffer, ...part } = next.value;
      size += part.bytes.length;
      await reservation.send(part, either);
      free.push(buffer);
    }
  };
  const senders = Array.from({ length: sizes.sentAtOnce }, sendParts);
  try {
    await Promise.all(senders);
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    await Promise.allSettled(senders);
    await parts.return();
  }
  await reservation.finish(size, signal);
  return size;
}
async function* splitParts(bytes, takeBuffer) {
  let buffer = takeBuffer();
  let offset = 0;
  let size = 0;
  for await (const chunk of bytes) {
    for (let at3 = 0; at3 < chunk.length; ) {
      if (size === buffer.length) {
        yield { offset, bytes: buffer, isWhole: false, buffer };
        offset += size;
        size = 0;
        buffer = takeBuffer();
      }
      const piece = chunk.subarray(at3, at3 + buffer.length - size);
      buffer.set(piece, size);
      size += piece.length;
      at3 += piece.length;
    }
  }
  yield { offset, bytes: buffer.subarray(0, size), isWhole: offset === 0, buffer };
}
async function* readEntry2(address, { offset, size }, action, tools, signal) {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const pending = [];
  let at3 = 0;
  try {
    while (at3 < size || pending.length > 0) {
      while (at3 < size && pending.length < tools.sizes.readAtOnce) {
        const length = Math.min(tools.sizes.read, size - at3);
        const part = readRange2(address, offset + at3, length, action, tools, either);
        part.catch(() => {
        });
        pending.push(part);
        at3 += length;
      }
      yield* await pending.shift() ?? [];
    }
  } finally {
    stop.abort();
  }
}
async function readRange2(address, offset, length, action, tools, signal) {
  const headers = { range: `bytes=${offset}-${offset + length - 1}` };
  let refused;
  return patiently(tools, signal, async () => {
    for (; ; ) {
      const url2 = await address(refused, signal);
      const response = await tools.http.request("GET", url2, { headers, signal });
      if (response.status === 206) return collect(response.body, 0, length, action);
      if (response.status === 200) return collect(response.body, offset, length, action);
      const text = Buffer.from(await response.bytes(mostRefusal)).toString();
      const isExpired = (response.status === 401 || response.status === 403) && refused === void 0;
      if (!isExpired) throw refusalOf({ status: response.status, body: {}, text }, action);
      refused = url2;
    }
  });
}
async function readWhole(url2, limit, action, tools, signal) {
  return patiently(tools, signal, async () => {
    const response = await tools.http.request("GET", url2, { signal });
    if (response.status === 200) return response.bytes(limit);
    const text = Buffer.from(await response.bytes(mostRefusal)).toString();
    throw refusalOf({ status: response.status, body: {}, text }, action);
  });
}
async function patiently({ backOff = defaultBackOff }, signal, work) {
  for (let turn = 1; ; turn++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HttpError) || !error.isTransient || turn >= backOff.tries) throw error;
      await pause(waitBefore(turn + 1, backOff) ?? 0, signal);
    }
  }
}
async function collect(body, skip, length, action) {
  const chunks = [];
  let passed = 0;
  let size = 0;
  for await (const chunk of body) {
    const piece = chunk.subarray(Math.max(0, skip - passed)).subarray(0, length - size);
    passed += chunk.length;
    if (piece.length > 0) chunks.push(piece);
    size += piece.length;
    if (passed > skip + length) break;
  }
  if (size < length) throw new Error(`Cannot ${action}: the entry ends ${length - size} bytes too early`);
  return chunks;
}

// src/cache/ci-indexes.ts
var { createHash: createHash6 } = process.getBuiltinModule("node:crypto");
var mostBytes2 = 32 << 20;
var patience = 4;
var mostPassed = 4;
function openIndexes(prefix, tools) {
  const { entries, http, report, sizes, backOff = defaultBackOff } = tools;
  let last;
  async function newest(signal) {
    const found = await entries.find(prefix, "newest", signal);
    if (found === void 0) return { number: 0, index: emptyIndex };
    const number = Number(/^\d{1,15}$/.exec(found.key.slice(prefix.length))?.[0] ?? 0);
    if (last?.number !== number) last = { number, index: await read(found, signal) };
    return last;
  }
  async function read({ key, url: url2 }, signal) {
    const bytes = await readWhole(url2, mostBytes2, `read cache entry "${key}"`, { http, backOff }, signal);
    try {
      return await decodeIndex2(bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      report.emit({ kind: "warning", text: `Cannot use cache entry "${key}": it is no index (${reason}); the cache counts as empty` });
      return emptyIndex;
    }
  }
  return {
    newest: async (signal) => (await newest(signal)).index,
    async replace(change, holds, signal) {
      let base = await newest(signal);
      let next = base.number + 1;
      const passed = /* @__PURE__ */ new Set();
      const late2 = [];
      for (let waited = 0; ; ) {
        const key = `${prefix}${next}`;
        const reservation = await entries.reserve(key, signal);
        if (reservation !== void 0) {
          last = { number: next, index: change(late2.reduce(joinIndexes, base.index)) };
          await sendEntry(reservation, once3(await encodeIndex3(last.index)), sizes, signal);
          base = await newest(signal);
          const more = await readLate(passed, signal);
          if ((base.number <= next || holds(base.index)) && more.length === 0) return;
          late2.push(...more);
          next = base.number + 1;
          continue;
        }
        await pause(waitBefore(waited + 2, backOff) ?? 0, signal);
        base = await newest(signal);
        const isBeaten = base.number >= next;
        waited = isBeaten ? 0 : waited + 1;
        if (isBeaten) next = base.number + 1;
        else if (waited >= patience) {
          if (passed.size === mostPassed) throw new Error(`Cannot write cache entry "${key}": the service says that there is one`);
          passed.add(key);
          next += 1;
          waited = 0;
        }
      }
    }
  };
  async function readLate(keys3, signal) {
    const found = await Promise.all([...keys3].map((key) => entries.find(key, "exact", signal)));
    const late2 = found.filter((entry) => entry !== void 0);
    for (const { key } of late2) keys3.delete(key);
    return Promise.all(late2.map((entry) => read(entry, signal)));
  }
}
function prefixOf(scope, reference) {
  const readable = scope.toLowerCase().replaceAll(/[^a-z0-9._-]/g, "-").slice(0, 60);
  const hash = createHash6("sha256").update(JSON.stringify([scope, reference])).digest("hex").slice(0, 12);
  return `slipway-index-${readable === "" ? "" : `${readable}-`}${hash}-`;
}
async function* once3(bytes) {
  yield bytes;
}

// src/cache/ci-pack.ts
var { randomUUID: randomUUID7 } = process.getBuiltinModule("node:crypto");
async function sendBlobs(blobs, tools, signal) {
  const { entries, sizes, report, name } = tools;
  const { pack, reservation } = await reservePack(entries, signal);
  const places = /* @__PURE__ */ new Map();
  const startedAt = Date.now();
  const size = await sendEntry(reservation, joinBlobs(blobs, pack, places, tools, signal), sizes, signal);
  report.emit({ kind: "debug", text: `Sent ${places.size} blobs, ${size} bytes, to ${name} in ${Date.now() - startedAt} ms` });
  return places;
}
async function reservePack(entries, signal) {
  for (let turn = 1; ; turn++) {
    const pack = `slipway-pack-${randomUUID7()}`;
    const reservation = await entries.reserve(pack, signal);
    if (reservation !== void 0) return { pack, reservation };
    if (turn === 3) throw new Error(`Cannot reserve cache entry "${pack}": the service says that there is one`);
  }
}
async function* joinBlobs(blobs, pack, places, { report, name }, signal) {
  let offset = 0;
  for (const blob of blobs) {
    const { digest } = blob.descriptor;
    const start = offset;
    try {
      for await (const chunk of blob.open(signal)) {
        offset += chunk.length;
        yield chunk;
      }
      places.set(digest, { pack, offset: start, size: offset - start });
    } catch (error) {
      signal.throwIfAborted();
      report.emit({ kind: "warning", text: `Cannot keep "${digest}" in ${name}: ${error instanceof Error ? error.message : error}` });
    }
  }
}

// src/cache/ci-packs.ts
function openPacks(entries) {
  const shared2 = openShared();
  const refusals = /* @__PURE__ */ new Map();
  const gone = /* @__PURE__ */ new Set();
  async function lookUp3(pack, signal) {
    const turn = `${refusals.get(pack) ?? 0} ${pack}`;
    const url2 = await shared2.get(turn, async (either) => (await entries.find(pack, "exact", either))?.url, signal);
    if (url2 === void 0) gone.add(pack);
    return url2;
  }
  return {
    async check(places, signal) {
      await Promise.all([...new Set(places.map(({ pack }) => pack))].map((pack) => lookUp3(pack, signal)));
    },
    isGone: (pack) => gone.has(pack),
    address: (pack) => async (refused, signal) => {
      const turn = refusals.get(pack) ?? 0;
      let url2 = await lookUp3(pack, signal);
      if (url2 !== void 0 && url2 === refused) {
        if ((refusals.get(pack) ?? 0) === turn) refusals.set(pack, turn + 1);
        url2 = await lookUp3(pack, signal);
      }
      if (url2 === void 0) throw new Error(`cache entry "${pack}" has been removed`);
      return url2;
    }
  };
}

// src/cache/ci-service-v1.ts
function openEntriesV1({ url: url2, token: token2 }, http) {
  const base = `${url2}_apis/artifactcache/`;
  const headers = { authorization: `Bearer ${token2}`, accept: "application/json;api-version=6.0-preview.1" };
  const call = (method, path14, signal, body) => {
    const sent = body === void 0 ? {} : { body: jsonBody(body) };
    const type = body === void 0 ? {} : { "content-type": "application/json" };
    return ask2(http, method, `${base}${path14}`, { headers: { ...headers, ...type }, signal, ...sent });
  };
  const find = async (key, match, signal) => {
    const answer = await call("GET", `cache?keys=${encodeURIComponent(key)}&version=${entryVersion}`, signal);
    if (answer.status === 204 || answer.status === 404) return void 0;
    const { cacheKey, archiveLocation } = answer.body;
    if (answer.status !== 200 || typeof archiveLocation !== "string") throw refusalOf(answer, `look up cache entry "${key}"`);
    const found = typeof cacheKey === "string" ? cacheKey : key;
    return match === "exact" && found !== key ? void 0 : { key: found, url: archiveLocation };
  };
  function openReservation(key, id) {
    const isDone = ({ status }) => status >= 200 && status < 300;
    return {
      async send({ offset, bytes }, signal) {
        const place = { "content-type": "application/octet-stream", "content-range": `bytes ${offset}-${offset + bytes.length - 1}/*` };
        const answer = await ask2(http, "PATCH", `${base}caches/${id}`, {
          headers: { ...headers, ...place },
          body: bytes,
          signal,
          tries: 5
        });
        if (!isDone(answer)) throw refusalOf(answer, `upload cache entry "${key}"`);
      },
      async finish(size, signal) {
        const answer = await call("POST", `caches/${id}`, signal, { size });
        if (!isDone(answer) && await find(key, "exact", signal) === void 0) throw refusalOf(answer, `finish cache entry "${key}"`);
      }
    };
  }
  return {
    find,
    async reserve(key, signal) {
      const answer = await call("POST", "caches", signal, { key, version: entryVersion });
      const { cacheId } = answer.body;
      if (answer.status < 300 && cacheId !== void 0) return openReservation(key, encodeURIComponent(String(cacheId)));
      const refusal = refusalOf(answer, `reserve cache entry "${key}"`);
      if (answer.status === 403 || answer.text.includes(deniedPrefix)) throw new WriteDeniedError(refusal.message);
      if (answer.status === 409 || /already exist/i.test(answer.text)) return void 0;
      throw refusal;
    }
  };
}

// src/cache/ci-service-v2.ts
var service = "twirp/github.actions.results.api.v1.CacheService";
function openEntriesV2({ url: url2, token: token2 }, http) {
  const call = (method, body, signal) => ask2(http, "POST", `${url2}${service}/${method}`, {
    headers: { authorization: `Bearer ${token2}`, "content-type": "application/json" },
    body: jsonBody(body),
    signal
  });
  const find = async (key, match, signal) => {
    const request2 = { key, restore_keys: match === "newest" ? [key] : [], version: entryVersion };
    const answer = await call("GetCacheEntryDownloadURL", request2, signal);
    const found = { key: textOf(answer, "matched_key") ?? key, url: textOf(answer, "signed_download_url") };
    if (answer.status === 404 || answer.status === 200 && answer.body.ok !== true) return void 0;
    if (answer.status !== 200 || found.url === void 0) throw refusalOf(answer, `look up cache entry "${key}"`);
    return match === "exact" && found.key !== key ? void 0 : { ...found, url: found.url };
  };
  function openReservation(key, target) {
    const blocks = /* @__PURE__ */ new Map();
    const put = async (query, body, signal) => {
      const headers = query === "" ? { "x-ms-blob-type": "BlockBlob" } : {};
      const answer = await ask2(http, "PUT", `${target}${query}`, { headers, body, signal });
      if (answer.status !== 201) throw refusalOf(answer, `upload cache entry "${key}"`);
    };
    return {
      async send({ offset, bytes, isWhole: isWhole2 }, signal) {
        if (isWhole2) return put("", bytes, signal);
        const id = Buffer.from(String(offset).padStart(15, "0")).toString("base64");
        await put(`&comp=block&blockid=${encodeURIComponent(id)}`, bytes, signal);
        blocks.set(offset, id);
      },
      async finish(size, signal) {
        if (blocks.size > 0) {
          const ids = [...blocks].sort(([a], [b]) => a - b).map(([, id]) => `<Latest>${id}</Latest>`);
          const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.join("")}</BlockList>`;
          await put("&comp=blocklist", Buffer.from(list), signal);
        }
        const answer = await call("FinalizeCacheEntryUpload", { key, version: entryVersion, size_bytes: String(size) }, signal);
        if (answer.body.ok !== true && await find(key, "exact", signal) === void 0)
          throw refusalOf(answer, `finish cache entry "${key}"`);
      }
    };
  }
  return {
    find,
    async reserve(key, signal) {
      const answer = await call("CreateCacheEntry", { key, version: entryVersion }, signal);
      const target = textOf(answer, "signed_upload_url");
      if (answer.status === 200 && answer.body.ok === true && target !== void 0) return openReservation(key, target);
      const refusal = refusalOf(answer, `reserve cache entry "${key}"`);
      if (answer.status === 403 || answer.text.includes(deniedPrefix)) throw new WriteDeniedError(refusal.message);
      if (answer.status === 409 || /exists/.test(answer.text)) return void 0;
      throw refusal;
    }
  };
}
function textOf({ body }, name) {
  const value = body[name] ?? body[name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())];
  return typeof value === "string" && value !== "" ? value : void 0;
}

// src/cache/ci-service.ts
function openEntries(access2, http) {
  return access2.protocol === 2 ? openEntriesV2(access2, http) : openEntriesV1(access2, http);
}

// src/cache/ci-token.ts
var permission = { read: 1, write: 2 };
function scopesOf(token2) {
  const found = parseScopes(token2);
  if (found === void 0) return [{ name: "", mayRead: true, mayWrite: true }];
  const scopes = found.map(([name, bits2]) => {
    const mayRead = (bits2 & permission.read) !== 0;
    return { name, mayRead, mayWrite: (bits2 & permission.write) !== 0 };
  });
  return scopes.sort((a, b) => Number(b.mayWrite) - Number(a.mayWrite));
}
function parseScopes(token2) {
  try {
    const payload = JSON.parse(Buffer.from(token2.split(".")[1] ?? "", "base64url").toString());
    if (payload.ac === void 0) return void 0;
    const scopes = JSON.parse(payload.ac);
    return scopes.map(({ Scope: Scope2, Permission }) => [String(Scope2), Number(Permission)]);
  } catch {
    return void 0;
  }
}

// src/cache/record-file.ts
var recordFileLimit = 2 * recordLimit;
var heading = "slipway record 1 ";
var newline2 = 10;
function encodeRecordFile({ key, bytes, blobs }) {
  checkRecordSize(bytes);
  const about = { key, blobs: blobs.map(({ descriptor: { digest, size } }) => ({ digest, size })) };
  const rest = Buffer.concat([Buffer.from(`${JSON.stringify(about)}
`), bytes]);
  return Buffer.concat([Buffer.from(`${heading}${digestOf(rest)}
`), rest]);
}
function decodeRecordFile(file, key) {
  const first = file.indexOf(newline2);
  const title = file.subarray(0, Math.max(0, first)).toString("latin1");
  if (!title.startsWith(heading)) throw new Error("it is no record");
  const rest = file.subarray(first + 1);
  if (digestOf(rest) !== title.slice(heading.length)) throw new Error("it is damaged");
  const second = rest.indexOf(newline2);
  const about = JSON.parse(rest.subarray(0, second).toString("utf8"));
  if (about.key !== key) throw new Error("it is the record of another key");
  return { bytes: rest.subarray(second + 1), blobs: readNamedBlobs(about.blobs) };
}
function checkRecordSize(bytes) {
  if (bytes.byteLength > recordLimit)
    throw new Error(`Cannot keep a record of ${bytes.byteLength} bytes: ${recordLimit} is the most that stores take`);
}
function readNamedBlobs(value) {
  if (!Array.isArray(value)) throw new Error("it does not say which blobs it needs");
  return value.map((item) => {
    const { digest, size } = item ?? {};
    if (typeof digest !== "string" || !isDigest(digest) || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      throw new Error("it names a blob that cannot be");
    return { digest, size };
  });
}

// src/cache/time-limit.ts
async function within2(ms, action, signal, work) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ms);
  try {
    return await work(signal === void 0 ? limit.signal : AbortSignal.any([signal, limit.signal]));
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.signal.aborted) throw new Error(`Cannot ${action}: it takes longer than ${ms / 1e3} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

// src/cache/ci-store.ts
var defaultLimits = { askMs: 2e4, writeMs: 6e5 };
var mostRecordBytes = 8 << 20;
var mostPacks = 64;
function openCiStore({ access: access2, scope, readScopes, maxBytes: maxBytes3 }, tools) {
  const { http, report, limits = defaultLimits, sizes = defaultSizes, now = Date.now } = tools;
  const patience2 = tools.backOff === void 0 ? {} : { backOff: tools.backOff };
  const name = scope === "" ? "GitHub's cache" : `GitHub's cache "${scope}"`;
  const scopes = /^(none|write-only)$/.test(access2.mode ?? "") ? [] : scopesOf(access2.token).filter(({ mayRead }) => mayRead);
  const mayWrite = access2.mode !== "read" && scopes[0]?.mayWrite === true;
  const entries = openEntries(access2, http);
  const sender = { entries, sizes, report, name };
  const packs = openPacks(entries);
  const prefixes = new Set([scope, ...readScopes].flatMap((mine) => scopes.map((of) => prefixOf(mine, of.name))));
  const indexes = [...prefixes].map((prefix) => openIndexes(prefix, { entries, http, report, sizes, ...patience2 }));
  const [own2] = indexes;
  const loaded = openShared();
  const gathered = /* @__PURE__ */ new Map();
  const used = /* @__PURE__ */ new Map();
  const told = /* @__PURE__ */ new Set();
  function tell(text) {
    if (!told.has(text)) report.emit({ kind: "notice", text });
    told.add(text);
  }
  function load(signal) {
    if (indexes.length === 0) tell(`This job may not read ${name}: it is not used`);
    const read2 = (stop) => within2(limits.askMs, `read ${name}`, stop, (limited) => Promise.all(indexes.map((index) => index.newest(limited))));
    return loaded.get("", read2, signal);
  }
  function placeOf3(digest, views) {
    return views.map(({ blobs }) => blobs.get(digest)).find((place) => place !== void 0 && !packs.isGone(place.pack));
  }
  function placesOf2(digests, views) {
    return digests.map((digest) => placeOf3(digest, views)).filter((place) => place !== void 0);
  }
  async function find(keys3, signal) {
    const views = await load(signal);
    const known = () => keys3.map((key) => [key, recordOf(key, views)]).filter((entry) => entry[1] !== void 0);
    const needed = known().flatMap(([, { blobs }]) => placesOf2(blobs, views));
    await within2(limits.askMs, `read ${name}`, signal, (limited) => packs.check(needed, limited));
    const found = known();
    for (const [key, record] of found) if (views[0]?.records.get(key) === record) used.set(key, record);
    return new Map(found.map(([key, { bytes }]) => [key, bytes]));
  }
  function recordOf(key, views) {
    const found = views.map(({ records }) => records.get(key)).filter((record) => record !== void 0);
    return found.find(({ blobs }) => placesOf2(blobs, views).length === blobs.length);
  }
  async function* read({ digest, size }, signal = new AbortController().signal) {
    const place = placeOf3(digest, await load(signal));
    const action = `read blob "${digest}" from ${name}`;
    if (place?.size !== size) throw new Error(`Cannot ${action}: it is not there any more`);
    yield* verifyBytes(readEntry2(packs.address(place.pack), place, action, { http, sizes, ...patience2 }, signal), { digest, size });
  }
  function isWorthAnIndex() {
    const stale = now() / 1e3 - worthNoting;
    return gathered.size > 0 || [...used.values()].some((record) => record.used < stale);
  }
  async function save(signal) {
    if (own2 === void 0) return;
    const views = [await own2.newest(signal), ...(await load(signal)).slice(1)];
    const wanted = [...gathered.values()].flatMap((record) => record.blobs.map(({ descriptor }) => descriptor.digest));
    await packs.check(placesOf2(wanted, views), signal);
    for (const [key, { bytes }] of gathered) {
      const known = recordOf(key, views);
      if (known !== void 0 && Buffer.compare(known.bytes, bytes) === 0) gathered.delete(key);
    }
    if (!isWorthAnIndex()) return;
    const blobs = new Map([...gathered.values()].flatMap((record) => record.blobs.map((blob) => [blob.descriptor.digest, blob])));
    const places = /* @__PURE__ */ new Map();
    const missing = [];
    for (const [digest, blob] of blobs) {
      const place = placeOf3(digest, views);
      if (place?.size === blob.descriptor.size) places.set(digest, place);
      else missing.push(blob);
    }
    if (missing.length > 0) for (const [digest, place] of await sendBlobs(missing, sender, signal)) places.set(digest, place);
    const holds = ({ records }) => [...gathered.keys()].every((key) => records.has(key));
    await own2.replace((index) => bound(mergeInto(index, places)), holds, signal);
  }
  function mergeInto({ records, blobs }, places) {
    const time = Math.floor(now() / 1e3);
    const fresh = [...gathered].map(([key, record]) => {
      return [key, { bytes: record.bytes, blobs: record.blobs.map(({ descriptor }) => descriptor.digest), used: time }];
    });
    const old = [...records].map(([key, record]) => [key, used.has(key) ? { ...record, used: time } : record]);
    const alive = [...blobs].filter(([, { pack }]) => !packs.isGone(pack));
    return { records: new Map([...old, ...fresh]), blobs: new Map([...alive, ...places]) };
  }
  function bound(index, most = maxBytes3) {
    return boundIndex(index, { maxBytes: most, maxRecordBytes: Math.min(mostRecordBytes, most), maxPacks: mostPacks });
  }
  return {
    name,
    find,
    read,
    async put(record, signal) {
      signal?.throwIfAborted();
      checkRecordSize(record.bytes);
      if (mayWrite) gathered.set(record.key, record);
      else tell(`This job may not write to ${name}: nothing is kept there`);
    },
    async prune({ unusedFor, maxBytes: most, dryRun }, signal) {
      if (own2 === void 0 || !mayWrite) throw new Error(`Cannot prune ${name}: this job may not write to it`);
      const since = unusedFor === void 0 ? 0 : now() / 1e3 - unusedFor;
      const reduce = ({ records, blobs }) => {
        const recent = byLastUse({ records }).filter(([, , used2]) => used2 >= since);
        return bound({ records: new Map(recent.map(([key, record]) => [key, record])), blobs }, most ?? maxBytes3);
      };
      return within2(limits.writeMs, `prune ${name}`, signal, async (limited) => {
        const before2 = await own2.newest(limited);
        const after = reduce(before2);
        const removedRecords = before2.records.size - after.records.size;
        if (!dryRun && removedRecords > 0) await own2.replace(reduce, () => true, limited);
        tell(`${name} cannot be told to remove bytes: the service removes what is not asked for within a week`);
        const keptBytes = [...after.blobs.values()].reduce((sum2, { size }) => sum2 + size, 0);
        return { removedRecords, removedBlobs: [], freedBytes: 0, keptRecords: after.records.size, keptBytes };
      });
    },
    async close(signal) {
      if (!mayWrite || !isWorthAnIndex()) return;
      try {
        await within2(limits.writeMs, `write to ${name}`, signal, save);
      } catch (error) {
        if (!(error instanceof WriteDeniedError)) throw error;
        tell(`This job may not write to ${name}: nothing is kept there`);
      } finally {
        gathered.clear();
      }
    }
  };
}

// src/cache/bounded.ts
async function mapBounded(items, most, work) {
  const results = [];
  let next = 0;
  let hasFailed = false;
  const lanes = Array.from({ length: Math.min(most, items.length) }, async () => {
    while (next < items.length && !hasFailed) {
      const at3 = next++;
      try {
        results[at3] = await work(items[at3]);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  });
  const outcomes = await Promise.allSettled(lanes);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== void 0) throw failed.reason;
  return results;
}

// src/cache/disk.ts
var { randomUUID: randomUUID8 } = process.getBuiltinModule("node:crypto");
var { lstat: lstat3, readdir: readdir4, rename: rename4, rm: rm7, stat: stat8, utimes: utimes3, writeFile: writeFile3 } = process.getBuiltinModule("node:fs/promises");
var path8 = process.getBuiltinModule("node:path");
var { getSystemErrorMap: getSystemErrorMap2 } = process.getBuiltinModule("node:util");
function codeOf3(error) {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : void 0;
}
function isReadOnly(error) {
  return ["EROFS", "EACCES", "EPERM"].includes(codeOf3(error) ?? codeOf3(error instanceof Error ? error.cause : void 0) ?? "");
}
function diskFailure(action, cause) {
  if (!(cause instanceof Error) || !("syscall" in cause)) return cause;
  const errno = "errno" in cause && typeof cause.errno === "number" ? cause.errno : 0;
  const words = getSystemErrorMap2().get(errno)?.[1] ?? cause.message;
  const place = "path" in cause && typeof cause.path === "string" ? ` ("${cause.path}")` : "";
  return new Error(`Cannot ${action}: ${words}${place}`, { cause });
}
async function regularFile(file) {
  const found = await lstat3(file).catch((error) => {
    if (codeOf3(error) === "ENOENT") return void 0;
    throw error;
  });
  return found?.isFile() ? found : void 0;
}
async function listFiles(directory) {
  const entries = await readdir4(directory, { withFileTypes: true }).catch((error) => {
    if (codeOf3(error) === "ENOENT") return [];
    throw error;
  });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
async function directoryExists(directory) {
  const found = await stat8(directory).catch((error) => {
    if (codeOf3(error) === "ENOENT") return void 0;
    throw error;
  });
  if (found?.isDirectory() === false) throw new Error(`"${directory}" is no directory`);
  return found !== void 0;
}
async function writeWhole(file, bytes, unfinished) {
  const temporary = path8.join(unfinished, randomUUID8());
  try {
    await writeFile3(temporary, bytes, { flag: "wx" });
    await rename4(temporary, file);
  } catch (error) {
    await rm7(temporary, { force: true });
    throw error;
  }
}
async function touch(file) {
  const now = /* @__PURE__ */ new Date();
  return utimes3(file, now, now).then(
    () => true,
    () => false
  );
}
async function removeFile(file) {
  try {
    await rm7(file);
    return true;
  } catch (error) {
    if (codeOf3(error) === "ENOENT") return false;
    throw error;
  }
}

// src/cache/blob-folder.ts
var { randomUUID: randomUUID9 } = process.getBuiltinModule("node:crypto");
var { constants: constants3, createReadStream: createReadStream6, createWriteStream: createWriteStream4 } = process.getBuiltinModule("node:fs");
var { copyFile, link: link2, mkdir: mkdir6, rename: rename5, rm: rm8 } = process.getBuiltinModule("node:fs/promises");
var path9 = process.getBuiltinModule("node:path");
var { pipeline: pipeline5 } = process.getBuiltinModule("node:stream/promises");
var readBytes2 = 256 * 1024;
var parallelLooks = 16;
function openBlobFolder(folder, unfinished) {
  const pathOf = (digest) => path9.join(folder, hexOf(digest));
  async function has({ digest, size }) {
    return (await regularFile(pathOf(digest)))?.size === size;
  }
  async function bring(blob, temporary, signal) {
    if (blob.file === void 0) {
      await pipeline5(blob.open(signal), createWriteStream4(temporary, { flags: "wx" }), { ...signal === void 0 ? {} : { signal } });
      return;
    }
    const source = blob.file;
    await link2(source, temporary).catch(() => copyFile(source, temporary, constants3.COPYFILE_EXCL | constants3.COPYFILE_FICLONE));
  }
  return {
    has,
    async put(blob, signal) {
      signal?.throwIfAborted();
      const { digest, size } = blob.descriptor;
      if (await has({ digest, size })) {
        await touch(pathOf(digest));
        return;
      }
      for (const directory of [folder, unfinished]) await mkdir6(directory, { recursive: true });
      const temporary = path9.join(unfinished, randomUUID9());
      try {
        await bring(blob, temporary, signal);
        const arrived = (await regularFile(temporary))?.size;
        if (arrived !== size) throw new Error(`Cannot keep blob "${digest}": it has ${arrived} bytes instead of ${size}`);
        await touch(temporary);
        await rename5(temporary, pathOf(digest));
      } finally {
        await rm8(temporary, { force: true });
      }
    },
    async *read({ digest, size }, signal) {
      const file = pathOf(digest);
      const before2 = await regularFile(file);
      if (before2 === void 0) throw new Error(`Cannot read blob "${digest}": it is gone`);
      try {
        const stream = createReadStream6(file, { highWaterMark: readBytes2, ...signal === void 0 ? {} : { signal } });
        yield* verifyBytes(stream, { digest, size });
      } catch (error) {
        const isSame2 = async () => (await regularFile(file))?.ino === before2.ino;
        if (error instanceof DigestMismatchError && await isSame2()) await rm8(file, { force: true }).catch(() => {
        });
        throw codeOf3(error) === "ENOENT" ? new Error(`Cannot read blob "${digest}": it is gone`, { cause: error }) : error;
      }
    },
    async list() {
      const names2 = (await listFiles(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
      const found = await mapBounded(names2, parallelLooks, async (name) => {
        const file = await regularFile(path9.join(folder, name));
        return file === void 0 ? [] : [{ digest: `sha256:${name}`, size: file.size, usedAt: file.mtimeMs }];
      });
      return found.flat();
    },
    touch: (digest) => touch(pathOf(digest)),
    async remove(digest, scannedAt) {
      const file = pathOf(digest);
      return ((await regularFile(file))?.mtimeMs ?? 0) > scannedAt ? false : removeFile(file);
    }
  };
}

// src/cache/pass-over.ts
function openPassedOver(name, report) {
  const reasons = /* @__PURE__ */ new Map();
  return {
    add(key, error) {
      const why = error instanceof Error ? error.message : String(error);
      const keys3 = reasons.get(why);
      if (keys3 === void 0) reasons.set(why, [key]);
      else keys3.push(key);
    },
    tell() {
      for (const [why, [first, ...others]] of reasons) {
        const rest = others.length === 0 ? "" : ` and ${others.length} more`;
        report.emit({ kind: "warning", text: `Passing over the record ${first}${rest} in ${name}: ${why}` });
      }
    }
  };
}

// src/cache/eviction.ts
function planEviction(candidates, limits, now) {
  const uses = lastUses(candidates);
  const usedAt = (candidate) => Math.min(uses.get(candidate) ?? 0, now);
  const { unusedFor = Number.POSITIVE_INFINITY, maxBytes: maxBytes3 = Number.POSITIVE_INFINITY } = limits;
  const isOld = (candidate) => now - usedAt(candidate) > unusedFor * 1e3;
  const newestFirst = candidates.filter((candidate) => !isOld(candidate)).sort((a, b) => usedAt(b) - usedAt(a) || (a.key < b.key ? -1 : 1));
  const named2 = /* @__PURE__ */ new Map();
  let bytes = 0;
  for (const candidate of newestFirst) {
    bytes += candidate.size;
    for (const blob of distinct(candidate)) {
      const known = named2.get(blob.digest);
      if (known === void 0) bytes += blob.size;
      named2.set(blob.digest, { size: known?.size ?? blob.size, by: (known?.by ?? 0) + 1 });
    }
  }
  const kept = [...newestFirst];
  while (bytes > maxBytes3) {
    const last = kept.pop();
    if (last === void 0) break;
    bytes -= last.size;
    for (const { digest } of distinct(last)) {
      const { size, by } = named2.get(digest);
      if (by > 1) named2.set(digest, { size, by: by - 1 });
      else {
        bytes -= size;
        named2.delete(digest);
      }
    }
  }
  const stays = new Set(kept);
  return {
    removed: candidates.filter((candidate) => !stays.has(candidate)),
    kept,
    keptBlobs: new Map([...named2].map(([digest, { size }]) => [digest, size])),
    keptBytes: bytes
  };
}
function distinct({ blobs, documents }) {
  return [...new Map([...blobs, ...documents].map((blob) => [blob.digest, blob])).values()];
}

// src/cache/prune-folder.ts
var { rm: rm9 } = process.getBuiltinModule("node:fs/promises");
var path10 = process.getBuiltinModule("node:path");
var graceMs = 60 * 60 * 1e3;
var parallelLooks2 = 16;
async function pruneFolder(contents, limits, tools, { scannedAt, signal }) {
  const { usable, broken: broken2, foreign } = contents;
  const plan = planEviction(usable, limits, scannedAt);
  const isNew = await openGrace(tools);
  const files = (await tools.blobs.list()).filter(({ digest }) => !foreign.has(digest));
  const unnamed2 = files.filter(({ digest, usedAt }) => !plan.keptBlobs.has(digest) && !isNew(usedAt));
  const leftovers = await listLeftovers(tools.unfinished, isNew);
  const goners = [...plan.removed, ...broken2];
  const total = sum(files) + sum(usable) + sum(broken2) + sum(leftovers);
  signal?.throwIfAborted();
  if (!limits.dryRun) {
    for (const record of plan.kept) if (record.usedAt > scannedAt) await tools.touch(record);
    for (const { digest, usedAt } of files) if (usedAt > scannedAt) await tools.blobs.touch(digest);
    if (goners.length > 0) await tools.remove(goners);
    for (const { place } of leftovers) await rm9(place, { force: true });
  }
  const removed = [];
  for (const blob of unnamed2) if (limits.dryRun || await tools.blobs.remove(blob.digest, scannedAt)) removed.push(blob);
  const freedBytes = sum(removed) + sum(goners) + sum(leftovers);
  return {
    removedRecords: goners.length,
    removedBlobs: removed.map(({ digest }) => digest),
    freedBytes,
    keptRecords: plan.kept.length,
    keptBytes: total - freedBytes
  };
}
async function sweepLeftovers(tools) {
  for (const { place } of await listLeftovers(tools.unfinished, await openGrace(tools))) await rm9(place, { force: true });
}
async function openGrace(tools) {
  const isBusy = await tools.isBusy();
  return (writtenAt) => isBusy && Date.now() - writtenAt < graceMs;
}
async function listLeftovers(unfinished, isNew) {
  const found = await mapBounded(await listFiles(unfinished), parallelLooks2, async (name) => {
    const place = path10.join(unfinished, name);
    const file = await regularFile(place);
    return file === void 0 || isNew(file.mtimeMs) ? [] : [{ place, size: file.size }];
  });
  return found.flat();
}
function sum(items) {
  return items.reduce((total, { size }) => total + size, 0);
}

// src/cache/writers.ts
var { randomUUID: randomUUID10 } = process.getBuiltinModule("node:crypto");
var { mkdir: mkdir7, rm: rm10, writeFile: writeFile4 } = process.getBuiltinModule("node:fs/promises");
var path11 = process.getBuiltinModule("node:path");
var beatMs = 6e4;
var silenceMs2 = 10 * beatMs;
function openWriters(folder) {
  const own2 = randomUUID10();
  const file = path11.join(folder, own2);
  let timer;
  return {
    async enter() {
      if (timer !== void 0) return;
      await mkdir7(folder, { recursive: true });
      await writeFile4(file, "");
      timer = setInterval(() => void touch(file), beatMs).unref();
    },
    async leave() {
      clearInterval(timer);
      timer = void 0;
      await rm10(file, { force: true }).catch(() => {
      });
    },
    async othersWrite() {
      let isAnyAlive = false;
      for (const name of (await listFiles(folder)).filter((name2) => name2 !== own2)) {
        const place = path11.join(folder, name);
        const age = Date.now() - ((await regularFile(place))?.mtimeMs ?? 0);
        if (age < 0) await touch(place);
        if (age <= silenceMs2) isAnyAlive = true;
        else await removeFile(place).catch(() => false);
      }
      return isAnyAlive;
    }
  };
}

// src/cache/directory-store.ts
var { mkdir: mkdir8, readFile: readFile7 } = process.getBuiltinModule("node:fs/promises");
var path12 = process.getBuiltinModule("node:path");
var parallelReads = 16;
function openDirectoryStore(directory, tools) {
  const { report, maxBytes: maxBytes3 } = tools;
  const name = `directory ${directory}`;
  const root = path12.join(directory, "v1");
  const records = path12.join(root, "records");
  const unfinished = path12.join(root, "unfinished");
  const blobs = openBlobFolder(path12.join(root, "blobs"), unfinished);
  const writers = openWriters(path12.join(root, "writers"));
  const recordPath = (key) => path12.join(records, key);
  let puts = 0;
  async function readRecord(key) {
    const file = await regularFile(recordPath(key));
    if (file === void 0) return void 0;
    if (file.size > recordFileLimit) throw new Error("it is no record");
    const record = decodeRecordFile(await readFile7(recordPath(key)), key);
    for (const blob of record.blobs) if (!await blobs.has(blob)) throw new Error(`it needs ${blob.digest}, which is gone or cut short`);
    return { ...record, size: file.size, usedAt: file.mtimeMs };
  }
  async function scan() {
    const keys3 = (await listFiles(records)).filter((file) => /^[0-9a-f]{64}$/.test(file));
    const usable = [];
    const broken2 = [];
    await mapBounded(keys3, parallelReads, async (key) => {
      const size = (await regularFile(recordPath(key)))?.size ?? 0;
      try {
        const record = await readRecord(key);
        if (record !== void 0) usable.push({ ...record, key, documents: [] });
      } catch (error) {
        if (error instanceof Error && "syscall" in error) throw error;
        broken2.push({ key, size, usedAt: 0, blobs: [], documents: [] });
      }
    });
    return { usable, broken: broken2, foreign: /* @__PURE__ */ new Set() };
  }
  const pruneTools = {
    blobs,
    unfinished,
    isBusy: async () => puts > 0 || await writers.othersWrite(),
    async remove(goners) {
      for (const { key } of goners) await removeFile(recordPath(key));
    },
    touch: ({ key }) => touch(recordPath(key))
  };
  async function prune2(limits, signal) {
    signal?.throwIfAborted();
    const scannedAt = Date.now();
    return pruneFolder(await scan(), limits, pruneTools, { scannedAt, signal });
  }
  return {
    name,
    async find(keys3, signal) {
      try {
        if (!await directoryExists(directory) || !await directoryExists(records)) return /* @__PURE__ */ new Map();
      } catch (error) {
        throw diskFailure(`look into the cache in ${name}`, error);
      }
      const passedOver = openPassedOver(name, report);
      const found = await mapBounded(keys3, parallelReads, async (key) => {
        signal?.throwIfAborted();
        try {
          const record = await readRecord(key);
          if (record === void 0) return [];
          await touch(recordPath(key));
          return [[key, record.bytes]];
        } catch (error) {
          signal?.throwIfAborted();
          passedOver.add(key, error);
          return [];
        }
      });
      passedOver.tell();
      return new Map(found.flat());
    },
    read: (blob, signal) => blobs.read(blob, signal),
    async put(record, signal) {
      const bytes = encodeRecordFile(record);
      puts += 1;
      try {
        for (const folder of [records, unfinished]) await mkdir8(folder, { recursive: true });
        await writers.enter();
        for (const blob of record.blobs) await blobs.put(blob, signal);
        signal?.throwIfAborted();
        await writeWhole(recordPath(record.key), bytes, unfinished);
        for (const blob of record.blobs) await blobs.put(blob, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw diskFailure(`keep a record in ${name}`, error);
      } finally {
        puts -= 1;
      }
    },
    async prune(limits, signal) {
      try {
        return await prune2(limits, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw diskFailure(`prune ${name}`, error);
      }
    },
    async close() {
      await writers.leave();
      try {
        if (maxBytes3 !== void 0) await prune2({ maxBytes: maxBytes3, dryRun: false });
        else await sweepLeftovers(pruneTools);
      } catch (error) {
        if (!isReadOnly(error)) throw diskFailure(`prune ${name}`, error);
      }
    }
  };
}

// src/cache/lock.ts
var { randomUUID: randomUUID11 } = process.getBuiltinModule("node:crypto");
var { readFile: readFile8, readlink, rename: rename6, rm: rm11, symlink: symlink2 } = process.getBuiltinModule("node:fs/promises");
var { setTimeout: sleep2 } = process.getBuiltinModule("node:timers/promises");
var silenceMs3 = 1e4;
var patienceMs3 = 6e4;
async function withLock(file, work) {
  const own2 = `${randomUUID11()} ${await describeSelf()}`;
  await take(file, own2);
  const isHeld = async () => await holderOf(file) === own2;
  try {
    return await work(isHeld);
  } finally {
    if (await isHeld()) await rm11(file, { force: true });
  }
}
async function take(file, own2) {
  const began = performance.now();
  let seen;
  for (; ; ) {
    try {
      await symlink2(own2, file);
      return;
    } catch (error) {
      if (codeOf3(error) !== "EEXIST") throw error;
    }
    const holder = await holderOf(file);
    if (holder === void 0) continue;
    if (seen?.holder !== holder) seen = { holder, since: performance.now() };
    if (performance.now() - seen.since > silenceMs3 || await isDead(holder)) await breakLock(file, holder);
    else if (performance.now() - began > patienceMs3) throw new Error(`"${file}" was not free for ${patienceMs3 / 1e3} s`);
    else await sleep2(2 + Math.random() * 10);
  }
}
async function holderOf(file) {
  return readlink(file).catch((error) => {
    if (codeOf3(error) === "ENOENT") return void 0;
    throw error;
  });
}
async function breakLock(file, holder) {
  const aside = `${file}.${randomUUID11()}`;
  try {
    await rename6(file, aside);
  } catch (error) {
    if (codeOf3(error) === "ENOENT") return;
    throw error;
  }
  const taken = await readlink(aside);
  if (taken !== holder) await symlink2(taken, file).catch(() => {
  });
  await rm11(aside, { force: true });
}
async function describeSelf() {
  const { pid } = process;
  return `${pid} ${await startOf(pid)} ${await findOutWhere()}`;
}
async function isDead(holder) {
  const [, pid = "", start, where] = holder.split(" ");
  return where === await findOutWhere() && /^\d+$/.test(pid) && start !== await startOf(Number(pid));
}
async function startOf(pid) {
  const stat9 = await readFile8(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return stat9.slice(stat9.lastIndexOf(")") + 2).split(" ")[19] ?? "gone";
}
var whereabouts;
function findOutWhere() {
  whereabouts ??= Promise.all([readFile8("/proc/sys/kernel/random/boot_id", "latin1"), readlink("/proc/self/ns/pid")]).then(
    ([boot, namespace]) => `${boot.trim()}/${namespace}`,
    () => randomUUID11()
  );
  return whereabouts;
}

// src/cache/record-manifest.ts
var annotations = { key: "slipway.cache.key", record: "slipway.cache.record.v1", created: "org.opencontainers.image.created" };
function tagOf(key) {
  return `slipway-${key}`;
}
function keyOfTag(tag) {
  return /^slipway-([0-9a-f]{64})$/.exec(tag)?.[1];
}
function encodeRecordManifest({ key, bytes, blobs }, now) {
  checkRecordSize(bytes);
  const stands = blobs.length === 0 ? [nothing2] : [];
  const layers = [...blobs.map(({ descriptor }) => layerOf(descriptor)), ...stands.map(({ descriptor }) => descriptor)];
  const config = encodeConfig(layers.length);
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.oci.manifest,
    config: config.descriptor,
    layers,
    annotations: {
      [annotations.created]: new Date(now).toISOString(),
      [annotations.key]: key,
      [annotations.record]: Buffer.from(bytes).toString("base64")
    }
  };
  return { manifest: encodeDocument(mediaTypes.oci.manifest, document), documents: [config, ...stands] };
}
function renewRecordManifest(bytes, now) {
  const document = parse(bytes);
  const created = { [annotations.created]: new Date(now).toISOString() };
  return encodeDocument(mediaTypes.oci.manifest, { ...document, annotations: { ...document.annotations, ...created } });
}
function decodeRecordManifest(bytes, key) {
  const {
    config,
    layers,
    annotations: notes
  } = parse(bytes);
  const text = notes?.[annotations.record];
  if (typeof text !== "string") throw new Error("it is no record");
  if (notes?.[annotations.key] !== key) throw new Error("it is the record of another key");
  const blobs = readNamedBlobs(layers);
  const created = Date.parse(String(notes[annotations.created]));
  return {
    bytes: Buffer.from(text, "base64"),
    blobs: blobs.filter(({ digest }) => digest !== nothing2.descriptor.digest),
    named: [...readNamedBlobs([config]), ...blobs],
    createdAt: Number.isNaN(created) ? 0 : created
  };
}
function parse(bytes) {
  let value;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new Error("it is damaged", { cause });
  }
  if (value === null || typeof value !== "object") throw new Error("it is no record");
  return value;
}
var nothing2 = encodeDocument(mediaTypes.oci.layer.none, {});
function layerOf({ mediaType, digest, size }) {
  const compression = /zstd$/.test(mediaType) ? "zstd" : /gzip$/.test(mediaType) ? "gzip" : "none";
  return { mediaType: mediaTypes.oci.layer[compression], digest, size };
}
function encodeConfig(layers) {
  const each = (value) => Array.from({ length: layers }, () => value);
  return encodeDocument(mediaTypes.oci.config, {
    architecture: "unknown",
    config: {},
    history: each({ created_by: "slipway cache" }),
    os: "unknown",
    rootfs: { type: "layers", diff_ids: each(digestOf(new Uint8Array())) }
  });
}
function encodeDocument(mediaType, value) {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}

// src/cache/oci-index.ts
var refName = "org.opencontainers.image.ref.name";
var emptyIndex2 = { records: /* @__PURE__ */ new Map(), others: [], rest: { schemaVersion: 2, mediaType: mediaTypes.oci.index } };
function decodeIndex3(text) {
  const value = JSON.parse(text);
  if (value === null || typeof value !== "object" || !Array.isArray(value.manifests)) throw new Error("it is no index of an image layout");
  const { manifests, ...rest } = value;
  const records = /* @__PURE__ */ new Map();
  const others = [];
  for (const item of manifests) {
    const { annotations: annotations2 } = item ?? {};
    const key = keyOfTag(String(annotations2?.[refName]));
    const [manifest] = key === void 0 ? [] : readNamedBlobs([item]);
    if (key === void 0 || manifest === void 0) others.push(item);
    else records.set(key, manifest);
  }
  return { records, others, rest };
}
function encodeIndex4({ records, others, rest }) {
  const own2 = [...records].map(([key, { digest, size }]) => ({
    mediaType: mediaTypes.oci.manifest,
    digest,
    size,
    annotations: { [refName]: tagOf(key) }
  }));
  return Buffer.from(JSON.stringify({ ...rest, manifests: [...others, ...own2] }));
}
function namedIn(bytes) {
  try {
    const { config, layers, manifests, blobs } = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return [[config], layers, manifests, blobs].flatMap((list) => Array.isArray(list) ? list : []).flatMap(tryDescriptor);
  } catch {
    return [];
  }
}
function tryDescriptor(value) {
  try {
    return readNamedBlobs([value]);
  } catch {
    return [];
  }
}

// src/cache/oci-store.ts
var { mkdir: mkdir9, readFile: readFile9 } = process.getBuiltinModule("node:fs/promises");
var path13 = process.getBuiltinModule("node:path");
var parallelReads2 = 16;
var documentLimit = 4 * 1024 * 1024;
var deepest = 4;
function openOciStore(directory, tools) {
  const { report } = tools;
  const name = `image layout ${directory}`;
  const own2 = path13.join(directory, ".slipway");
  const unfinished = path13.join(own2, "unfinished");
  const indexFile = path13.join(directory, "index.json");
  const blobFolder = path13.join(directory, "blobs", "sha256");
  const blobs = openBlobFolder(blobFolder, unfinished);
  const writers = openWriters(path13.join(own2, "writers"));
  let puts = 0;
  let isTold = false;
  let writing = Promise.resolve();
  let next;
  async function readIndex() {
    try {
      return decodeIndex3(await readFile9(indexFile, "utf8"));
    } catch (error) {
      if (codeOf3(error) === "ENOENT") return emptyIndex2;
      if (!(error instanceof SyntaxError)) throw error instanceof Error && codeOf3(error) === void 0 ? foreign(error) : error;
      if (!isTold) report.emit({ kind: "warning", text: `The cache in ${name} starts anew: its index.json is damaged` });
      isTold = true;
      return emptyIndex2;
    }
  }
  const foreign = (cause) => new Error(`Cannot use ${name}: "${indexFile}": ${cause.message}`, { cause });
  async function changeIndex(change) {
    await mkdir9(unfinished, { recursive: true });
    await withLock(path13.join(own2, "lock"), async (isHeld) => {
      const index = await readIndex();
      const records = new Map(index.records);
      change(records);
      const layout = path13.join(directory, "oci-layout");
      if (await regularFile(layout) === void 0) await writeWhole(layout, Buffer.from('{"imageLayoutVersion":"1.0.0"}'), unfinished);
      if (!await isHeld()) throw new Error(`"${path13.join(own2, "lock")}" was taken away`);
      await writeWhole(indexFile, encodeIndex4({ ...index, records }), unfinished);
    });
  }
  function enlist(key, manifest) {
    if (next === void 0) {
      const entries = /* @__PURE__ */ new Map();
      const done = writing.then(() => {
        next = void 0;
        return changeIndex((records) => {
          for (const [entry, value] of entries) records.set(entry, value);
        });
      });
      writing = done.catch(() => {
      });
      next = { entries, done };
    }
    next.entries.set(key, manifest);
    return next.done;
  }
  async function readDocument2(blob, signal) {
    if (blob.size > documentLimit) throw new Error("it is no record");
    const chunks = [];
    for await (const chunk of blobs.read(blob, signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
  async function readRecord(key, manifest, signal) {
    const record = decodeRecordManifest(await readDocument2(manifest, signal), key);
    for (const blob of record.blobs) if (!await blobs.has(blob)) throw new Error(`it needs ${blob.digest}, which is gone or cut short`);
    return record;
  }
  async function reach(blob, seen, depth) {
    if (seen.has(blob.digest)) return;
    seen.add(blob.digest);
    if (depth === 0 || blob.size > documentLimit || !await blobs.has(blob)) return;
    for (const named2 of namedIn(await readFile9(path13.join(blobFolder, hexOf(blob.digest))))) await reach(named2, seen, depth - 1);
  }
  async function scan(signal) {
    const { records, others } = await readIndex();
    const [usable, broken2] = [[], []];
    await mapBounded([...records], parallelReads2, async ([key, manifest]) => {
      try {
        const record = await readRecord(key, manifest, signal);
        const usedAt = (await regularFile(path13.join(blobFolder, hexOf(manifest.digest))))?.mtimeMs ?? 0;
        usable.push({ key, size: 0, usedAt, blobs: record.blobs, documents: [manifest, ...record.named] });
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof Error && "syscall" in error) throw error;
        broken2.push({ key, size: 0, usedAt: 0, blobs: [], documents: [] });
      }
    });
    const foreign2 = /* @__PURE__ */ new Set();
    for (const item of others.flatMap(tryDescriptor)) await reach(item, foreign2, deepest);
    return { usable, broken: broken2, foreign: foreign2 };
  }
  const pruneTools = {
    blobs,
    unfinished,
    isBusy: async () => puts > 0 || await writers.othersWrite(),
    remove: (goners) => changeIndex((records) => {
      for (const { key } of goners) records.delete(key);
    }),
    touch: async ({ documents: [manifest] }) => manifest !== void 0 && blobs.touch(manifest.digest)
  };
  async function prune2(limits, signal) {
    signal?.throwIfAborted();
    const scannedAt = Date.now();
    return pruneFolder(await scan(signal), limits, pruneTools, { scannedAt, signal });
  }
  return {
    name,
    async find(keys3, signal) {
      signal?.throwIfAborted();
      let records;
      try {
        if (!await directoryExists(directory)) return /* @__PURE__ */ new Map();
        ({ records } = await readIndex());
      } catch (error) {
        throw diskFailure(`look into the cache in ${name}`, error);
      }
      const passedOver = openPassedOver(name, report);
      const found = await mapBounded(keys3, parallelReads2, async (key) => {
        const manifest = records.get(key);
        if (manifest === void 0) return [];
        try {
          const { bytes } = await readRecord(key, manifest, signal);
          await blobs.touch(manifest.digest);
          return [[key, bytes]];
        } catch (error) {
          signal?.throwIfAborted();
          passedOver.add(key, error);
          return [];
        }
      });
      passedOver.tell();
      return new Map(found.flat());
    },
    read: (blob, signal) => blobs.read(blob, signal),
    async put(record, signal) {
      signal?.throwIfAborted();
      const { manifest, documents } = encodeRecordManifest(record, Date.now());
      const all = [...record.blobs, ...[...documents, manifest].map(blobOf)];
      puts += 1;
      try {
        await writers.enter();
        for (const blob of all) await blobs.put(blob, signal);
        await enlist(record.key, manifest.descriptor);
        for (const blob of all) await blobs.put(blob, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw diskFailure(`keep a record in ${name}`, error);
      } finally {
        puts -= 1;
      }
    },
    async prune(limits, signal) {
      try {
        return await prune2(limits, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw diskFailure(`prune ${name}`, error);
      }
    },
    async close() {
      await writers.leave();
      await sweepLeftovers(pruneTools).catch((error) => {
        if (!isReadOnly(error)) throw diskFailure(`clean up in ${name}`, error);
      });
    }
  };
}
function blobOf({ descriptor, bytes }) {
  return {
    descriptor,
    async *open() {
      yield bytes;
    }
  };
}

// src/cache/registry-store.ts
var parallelLookups = 24;
var mostTroubles = 3;
function openRegistryStore(place, tools) {
  const { report } = tools;
  const repository = tools.registry.repository(place);
  const name = `repository ${repository.registry}/${repository.repository}`;
  const stale = /* @__PURE__ */ new Map();
  function passOver(key, error) {
    const why = error instanceof Error ? error.message : String(error);
    report.emit({ kind: "warning", text: `Passing over the record ${key} in ${name}: ${why}` });
  }
  async function lookUp3(key, signal) {
    const bytes = await repository.manifest(tagOf(key), signal);
    if (bytes === void 0) return void 0;
    try {
      return { ...decodeRecordManifest(bytes, key), manifest: bytes };
    } catch (error) {
      return passOver(key, error);
    }
  }
  async function put(record, signal) {
    const { manifest, documents } = encodeRecordManifest(record, Date.now());
    const blobs = [...record.blobs, ...documents];
    const send = async () => {
      const sent = await Promise.allSettled(blobs.map((blob) => repository.send(blob, signal)));
      for (const outcome of sent) if (outcome.status === "rejected") throw outcome.reason;
      await repository.putManifest(tagOf(record.key), manifest, signal);
    };
    try {
      await send();
    } catch (error) {
      signal?.throwIfAborted();
      const isUnknown = error instanceof RegistryError && (error.status === 400 || error.status === 404);
      if (!isUnknown || !repository.doubt(blobs.map(({ descriptor }) => descriptor.digest))) throw error;
      await send();
    }
  }
  async function prune2(limits, signal) {
    const now = Date.now();
    const keys3 = (await repository.tags(signal)).flatMap((tag) => keyOfTag(tag) ?? []);
    const found = await mapBounded([...new Set(keys3)], parallelLookups, async (key) => {
      const record = await lookUp3(key, signal);
      if (record === void 0) return [];
      const { blobs, manifest, createdAt } = record;
      return [{ key, size: manifest.byteLength, digest: digestOf(manifest), usedAt: createdAt, blobs, documents: [] }];
    });
    const plan = planEviction(found.flat(), limits, now);
    await mapBounded(limits.dryRun ? [] : plan.removed, parallelLookups, async ({ digest }) => {
      if (await repository.deleteManifest(digest, signal)) return;
      throw new Error(
        `Cannot prune ${name}: the registry does not let its clients delete; use its own rules for old tags, they start with "slipway-"`
      );
    });
    if (!limits.dryRun && plan.removed.length > 0)
      report.emit({ kind: "notice", text: `The bytes in ${name} are freed when the registry collects its garbage` });
    const gone = new Map(plan.removed.flatMap(({ blobs }) => blobs.map(({ digest, size }) => [digest, size])));
    for (const digest of plan.keptBlobs.keys()) gone.delete(digest);
    const sizes = [...gone.values(), ...plan.removed.map(({ size }) => size)];
    return {
      removedRecords: plan.removed.length,
      removedBlobs: [...gone.keys()],
      freedBytes: sizes.reduce((total, size) => total + size, 0),
      keptRecords: plan.kept.length,
      keptBytes: plan.keptBytes
    };
  }
  return {
    name,
    origin: { registry: repository.registry, repository: repository.repository },
    async find(keys3, signal) {
      let troubles = 0;
      let answers = 0;
      const failures2 = [];
      const found = await mapBounded(keys3, parallelLookups, async (key) => {
        signal?.throwIfAborted();
        try {
          const record = await lookUp3(key, signal);
          answers += 1;
          if (record === void 0) return [];
          if (Date.now() - record.createdAt > worthNoting * 1e3) stale.set(key, { ...record, key });
          repository.know(record.named.map(({ digest }) => digest));
          return [[key, record.bytes]];
        } catch (error) {
          signal?.throwIfAborted();
          if (!mayPass(error) || ++troubles >= mostTroubles) throw error;
          failures2.push({ key, error });
          return [];
        }
      });
      if (answers === 0 && failures2[0] !== void 0) throw failures2[0].error;
      for (const { key, error } of failures2) passOver(key, error);
      return new Map(found.flat());
    },
    read: (blob, signal) => repository.read(blob, signal),
    async put(record, signal) {
      signal?.throwIfAborted();
      try {
        await put(record, signal);
        stale.delete(record.key);
      } catch (error) {
        signal?.throwIfAborted();
        throw advise(error, repository);
      }
    },
    prune: prune2,
    async close(signal) {
      await mapBounded(
        outermost([...stale.values()]),
        parallelLookups,
        ({ key, manifest }) => repository.putManifest(tagOf(key), renewRecordManifest(manifest, Date.now()), signal).catch(() => {
        })
      );
      signal?.throwIfAborted();
      stale.clear();
    }
  };
}
function mayPass(error) {
  return error instanceof RegistryError && ["unavailable", "rate-limited", "invalid", "refused"].includes(error.failure);
}
function advise(error, { registry, repository }) {
  if (!(error instanceof RegistryError) || error.failure !== "name-unknown") return error;
  const { failure: failure3, status } = error;
  const hint = `create the repository "${repository}" at ${registry}, or name one that is there with --cache-repo`;
  return new RegistryError(error.message, { failure: failure3, hint, cause: error, ...status === void 0 ? {} : { status } });
}

// src/cache/cache.ts
function openCache(options2) {
  const { signal } = options2;
  const stores2 = joinStores(options2);
  const own2 = /* @__PURE__ */ new Map();
  let last;
  const indexes = /* @__PURE__ */ new Map();
  const blobs = openStoredBlobs({
    signal,
    warn: stores2.warn,
    forget(digest) {
      for (const [key, chain] of own2) if (chain.layers.some(({ layer }) => layer.descriptor.digest === digest)) own2.delete(key);
    }
  });
  function isYoung({ created }) {
    return Date.now() - Date.parse(created) <= options2.maxAge * 1e3;
  }
  function acceptChain(record) {
    if (record.kind !== "chain") throw new Error("it is no chain of layers");
    return record.layers.every((layer) => isYoung(layer) && variantOf(layer) !== void 0) ? record : void 0;
  }
  function variantOf({ variants }) {
    return variants.find(({ digest }) => !blobs.bad.has(digest));
  }
  function openChain({ layers, fidelity }, store2) {
    return { fidelity, layers: layers.map((layer) => openLayer(layer, store2)), store: store2.name };
  }
  function openLayer(recorded, store2) {
    const variant = variantOf(recorded);
    if (variant === void 0) throw new Error("Cannot open a cached layer: nothing of it can be read");
    const { diffId, index, created, seconds } = recorded;
    const { compression, compressor } = variant;
    const blob = blobs.openLayer(variant, store2);
    const at3 = blobs.open({ mediaType: indexType, ...index }, store2);
    indexes.set(diffId, Promise.resolve(at3));
    return { layer: { ...blob, diffId, compression }, compressor, created, seconds, index: at3 };
  }
  function write(key, record, needed) {
    stores2.write(key, record, needed, blobs.isLost);
  }
  function indexBlob(index) {
    const made = encodeIndex2(index).then(blobOf2);
    indexes.set(index.diffId, made);
    return made;
  }
  async function knownIndex(diffId) {
    const known = await indexes.get(diffId);
    return known === void 0 || blobs.isLost(known) ? void 0 : known;
  }
  async function recordLayers({
    layers
  }) {
    const whole = async (one3) => blobs.isLost(one3.index) ? { ...one3, index: await knownIndex(one3.layer.diffId) ?? one3.index } : one3;
    const known = await Promise.all(layers.map(whole));
    return { layers: known.map(recordLayer), needed: known.flatMap(({ layer, index }) => [layer, index]) };
  }
  function recordAgain(keys3) {
    const stage = last?.stage(keys3);
    if (last === void 0 || stage === void 0 || stage.layers.some((layer) => needsAny(layer, blobs.bad))) return void 0;
    const { store: store2 } = last;
    const needed = stage.layers.flatMap(({ variants, index }) => [
      ...variants.map((variant) => blobs.openLayer(variant, store2)),
      blobs.open({ mediaType: indexType, ...index }, store2)
    ]);
    return { stage, needed };
  }
  async function readIndex(blob, diffId) {
    try {
      return await decodeIndex(blob.open(signal), diffId);
    } catch (error) {
      signal.throwIfAborted();
      indexes.delete(diffId);
      stores2.warn(`Cannot use the index of layer ${diffId} from the cache: ${messageOf3(error)}; the layer is read instead`);
      return void 0;
    }
  }
  function keepIndex(diffId, blob) {
    const { digest, size } = blob.descriptor;
    write(keyOf("index", [diffId]), { kind: "index", diffId, index: { digest, size } }, [blob]);
  }
  return {
    indexBlob,
    async find(keys3) {
      const known = [...new Set(keys3)];
      const hints = new Map(
        known.flatMap((key) => {
          const hint = own2.has(key) ? void 0 : last?.hint(key);
          return hint !== void 0 && acceptChain(hint.record) !== void 0 ? [[key, hint]] : [];
        })
      );
      const asked = known.filter((key) => !own2.has(key) && !hints.has(key));
      const found = new Map([...hints, ...asked.length === 0 ? [] : await stores2.look(asked, acceptChain)]);
      return new Map(
        known.flatMap((key) => {
          const mine = own2.get(key);
          if (mine !== void 0) return [[key, mine]];
          const hit = found.get(key);
          return hit === void 0 ? [] : [[key, openChain(hit.record, hit.store)]];
        })
      );
    },
    keep: (keys3, chain) => stores2.track(
      Promise.resolve(chain).then(async (known) => {
        if (known === void 0) return;
        for (const key of keys3) own2.set(key, known);
        const { layers, needed } = await recordLayers(known);
        const record = { kind: "chain", layers, fidelity: known.fidelity };
        for (const key of new Set(keys3)) write(key, record, needed);
      })
    ),
    async findIndex({ diffId }) {
      const known = await knownIndex(diffId);
      if (known !== void 0) return readIndex(known, diffId);
      const key = keyOf("index", [diffId]);
      const hit = (await stores2.look([key], (record) => record.kind === "index" && record.diffId === diffId ? record : void 0)).get(
        key
      );
      return hit && readIndex(blobs.open({ mediaType: indexType, ...hit.record.index }, hit.store), diffId);
    },
    indexes: {
      begin(diffId) {
        if (options2.readOnly || indexes.has(diffId)) return void 0;
        const writer = openIndexWriter(diffId);
        const end = () => {
          const made = writer.end().then(blobOf2);
          indexes.set(diffId, made);
          stores2.track(made.then((blob) => keepIndex(diffId, blob)));
        };
        return { add: writer.add, end };
      }
    },
    async findLast(key) {
      const found = (await stores2.look([key], (record) => record.kind === "last" ? record : void 0)).get(key);
      if (found === void 0) return void 0;
      last = new LastBuild(found);
      return found.record.value;
    },
    keepLast(key, value, stages) {
      const recorded = stages.map(async ({ keys: keys3, chain }) => {
        if (chain === void 0) return recordAgain(keys3);
        const { layers, needed } = await recordLayers(chain);
        return { stage: { keys: keys3, layers, fidelity: chain.fidelity }, needed };
      });
      stores2.track(
        Promise.all(recorded).then((all) => {
          const known = all.filter((one3) => one3 !== void 0);
          const chains = known.map(({ stage }) => stage);
          const whole = { kind: "last", value, chains };
          const record = [whole, { ...whole, value: null }].find((one3) => stores2.fits(key, one3));
          const needed = known.flatMap((one3) => one3.needed);
          if (record !== void 0 && last?.is(record) !== true) write(key, record, needed);
        })
      );
    },
    async findNote(key) {
      const found = await stores2.look([key], (record) => record.kind === "note" ? record : void 0);
      return found.get(key)?.record.value;
    },
    keepNote: (key, value) => write(key, { kind: "note", value }, []),
    blame: (layer, error) => blobs.blame(layer.descriptor.digest, error),
    get blamed() {
      return blobs.blamed;
    },
    close: stores2.close
  };
}
var indexType = "application/vnd.slipway.layer.index.v1+gzip";
function recordLayer({ layer, compressor, created, seconds, index }) {
  const { descriptor, diffId, compression } = layer;
  const { digest, size } = descriptor;
  return {
    diffId,
    variants: [{ compressor, compression, digest, size }],
    index: { digest: index.descriptor.digest, size: index.descriptor.size },
    created,
    seconds
  };
}
function blobOf2(bytes) {
  const descriptor = { mediaType: indexType, digest: digestOf(bytes), size: bytes.length };
  return {
    descriptor,
    async *open() {
      yield bytes;
    }
  };
}

// src/image/inherit.ts
var imageKeys = [
  "architecture",
  "os",
  "variant",
  "os.version",
  "os.features",
  "created",
  "author",
  "config",
  "rootfs",
  "history"
];
var historyKeys = ["created", "created_by", "author", "comment", "empty_layer"];
var containerKeys = [
  ...["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "ArgsEscaped"],
  ...["Healthcheck", "OnBuild", "Shell"]
];
function inheritConfig(config) {
  return {
    ...pick(config, imageKeys),
    ...config.config === void 0 ? {} : { config: pick(config.config, containerKeys) },
    ...config.history === void 0 ? {} : { history: config.history.map((line) => pick(line, historyKeys)) }
  };
}
function pick(value, keys3) {
  return Object.fromEntries(keys3.flatMap((key) => value[key] === void 0 || value[key] === null ? [] : [[key, value[key]]]));
}

// src/build/bases.ts
var { createReadStream: createReadStream7 } = process.getBuiltinModule("node:fs");
var maxKept = 256 << 10;
function baseKey(reference, platform) {
  return `${formatImageName(reference)} ${formatPlatform(platform)}`;
}
function openBases(registry, { signal, cache, folder }) {
  const known = /* @__PURE__ */ new Map();
  const resolve = async (reference, platform) => {
    if ("directory" in reference) return resolveLayout(reference, platform);
    const inFolder = folder?.documents() ?? Promise.resolve([]);
    if (cache === void 0) return fromFolder(await registry.resolve(reference, platform, signal, inFolder));
    const key = keyOf("image", [baseKey(reference, platform)]);
    const kept = cache.findNote(key).then(readDocuments);
    const documentsAtHand = Promise.all([kept, inFolder]).then((all) => all.flat());
    const image2 = await registry.resolve(reference, platform, signal, documentsAtHand);
    const { manifest, config } = image2.documents;
    const documents = [manifest, config].map(({ bytes }) => Buffer.from(bytes));
    const before2 = await kept;
    const isKnown = before2.length === documents.length && before2.every((bytes, i) => documents[i]?.equals(bytes));
    const size = documents.reduce((sum2, bytes) => sum2 + bytes.length, 0);
    const texts = documents.map((bytes) => bytes.toString("base64"));
    if (!isKnown && size <= maxKept) cache.keepNote(key, texts);
    return fromFolder(image2);
  };
  const fromFolder = (image2) => folder === void 0 ? image2 : { ...image2, layers: image2.layers.map((layer) => ({ ...layer, open: openIn(folder, layer, signal) })) };
  const image = (reference, platform) => {
    const key = baseKey(reference, platform);
    const found = known.get(key) ?? resolve(reference, platform);
    known.set(key, found);
    return found;
  };
  return {
    image,
    async base(reference, platform) {
      const found = await image(reference, platform);
      return { reference, digest: found.digest, platform: found.platform, config: inheritConfig(alignHistory(found.config)) };
    }
  };
}
function openIn(folder, layer, signal) {
  return async function* (own2 = signal) {
    const file = await folder.find(layer.descriptor, own2);
    yield* file === void 0 ? layer.open(own2) : createReadStream7(file, { signal: own2, highWaterMark: 256 << 10 });
  };
}
function readDocuments(note) {
  return Array.isArray(note) && note.every((text) => typeof text === "string") ? note.map((text) => Buffer.from(text, "base64")) : [];
}

// src/build/text-hash.ts
var { createHash: createHash7 } = process.getBuiltinModule("node:crypto");
var enough = 1 << 13;
var TextHash = class {
  #hash = createHash7("sha256");
  #encoding;
  #waiting = "";
  constructor(encoding) {
    this.#encoding = encoding;
  }
  update(text) {
    this.#waiting += text;
    if (this.#waiting.length < enough) return;
    this.#hash.update(this.#waiting, this.#encoding);
    this.#waiting = "";
  }
  /** Of all so far; more may follow. */
  digest(form) {
    return this.#hash.copy().update(this.#waiting, this.#encoding).digest(form);
  }
};

// src/build/explain.ts
var maxValue = 120;
var maxFiles = 1e3;
var shownFiles = 3;
function inputsOf(step, files) {
  return { text: step.source.text, values: mapValues(valuesOf(step), shorten2), files: files.all() };
}
function valuesOf(step) {
  switch (step.kind) {
    case "run": {
      const env = step.env.map((pair) => {
        const equals = pair.indexOf("=");
        return [pair.slice(0, equals), pair.slice(equals + 1)];
      });
      const { cwd, user, network, mounts } = step;
      const shown = mounts.map((mount) => JSON.stringify({ ...mount, from: void 0, text: void 0 }));
      return { ...Object.fromEntries(env), "the command": step.args.join(" "), WORKDIR: cwd, USER: user, network, mounts: shown.join(" ") };
    }
    case "copy":
      return { "the instruction": step.createdBy };
    case "workdir":
      return { WORKDIR: step.path, USER: step.user };
  }
}
function mapValues(values, change) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}
function shorten2(value) {
  return value.length <= maxValue ? value : `${value.slice(0, maxValue)}\u2026 (${value.length} characters)`;
}
function remember(plan, inputs) {
  return Object.fromEntries(
    plan.stages.map((stage, number) => [nameOf2(stage), { base: describeBase(stage), steps: inputs[number] ?? [] }])
  );
}
function nameOf2({ name, platform }) {
  return `${name} ${formatPlatform(platform)}`;
}
function describeBase({ base, baseText }) {
  return base.kind === "image" ? `${baseText}@${base.digest.slice(0, 19)}` : baseText;
}
var FileNotes = class {
  #files = /* @__PURE__ */ new Map();
  #directories;
  note(path14, mark) {
    if (this.#directories !== void 0) {
      this.#add(this.#directories, path14, mark);
      return;
    }
    this.#files.set(path14, mark);
    if (this.#files.size <= maxFiles) return;
    this.#directories = /* @__PURE__ */ new Map();
    for (const [known, sign] of this.#files) this.#add(this.#directories, known, sign);
    this.#files.clear();
  }
  /** By path, or by the first two parts of it. */
  all() {
    if (this.#directories === void 0) return Object.fromEntries(this.#files);
    const sums = [...this.#directories].slice(0, maxFiles);
    return Object.fromEntries(sums.map(([path14, hash]) => [path14, hash.digest("base64url").slice(0, 12)]));
  }
  #add(directories, path14, mark) {
    const directory = /^[^/]*\/[^/]*/.exec(path14)?.[0] ?? path14;
    const hash = directories.get(directory) ?? new TextHash("utf8");
    directories.set(directory, hash);
    hash.update(`${path14}\0${mark}
`);
  }
};
function explainMiss(now, i, before2, { rebuilt, follows }) {
  const earlier = readRemembered(before2)?.[nameOf2(now.stage)];
  const base = describeBase(now.stage);
  const step = now.steps[i];
  if (earlier === void 0 || step === void 0) return "no earlier build of it is known";
  if (earlier.base !== base) return `the base was ${earlier.base}, and is ${base}`;
  const old = earlier.steps[i];
  if (old === void 0) return "it is new";
  const reasons = [...compareValues(old.values, step.values), ...compareFiles(old.files, step.files)];
  if (reasons.length > 0) return reasons.join(", ");
  if (rebuilt !== void 0) return `stage ${rebuilt} is built anew, and may yet come to the same`;
  if (old.text !== step.text) return `the instruction was ${old.text}`;
  if (follows) return "a step before it is built";
  return earlier.steps.slice(0, i).every((one3, at3) => JSON.stringify(one3) === JSON.stringify(now.steps[at3])) ? "nothing of it is another, but the cache does not have it (any more)" : "something before it is another";
}
function compareValues(before2, now) {
  const names2 = [.../* @__PURE__ */ new Set([...Object.keys(before2), ...Object.keys(now)])];
  const shown = (value) => value === void 0 ? "unset" : value === "" ? '""' : value;
  const changed = names2.filter((name) => before2[name] !== now[name]);
  const first = changed.filter((name) => !name.startsWith("the ")).slice(0, shownFiles);
  return (first.length > 0 ? first : changed).map((name) => `${name} ${shown(before2[name])} \u2192 ${shown(now[name])}`);
}
function compareFiles(before2, now) {
  const changed = Object.keys(now).filter((path14) => before2[path14] !== void 0 && before2[path14] !== now[path14]);
  const added = Object.keys(now).filter((path14) => before2[path14] === void 0);
  const removed = Object.keys(before2).filter((path14) => now[path14] === void 0);
  const all = [
    ...changed.map((path14) => `${path14} changed`),
    ...added.map((path14) => `${path14} is new`),
    ...removed.map((path14) => `${path14} is gone`)
  ];
  const rest = all.length - shownFiles;
  return [...all.slice(0, shownFiles), ...rest > 0 ? [`and ${rest} more`] : []];
}
function readRemembered(value) {
  if (typeof value !== "object" || value === null) return void 0;
  const stages = Object.values(value);
  return stages.every(isStage2) ? value : void 0;
}
function isStage2(stage) {
  if (typeof stage !== "object" || stage === null || !("base" in stage) || !("steps" in stage)) return false;
  return typeof stage.base === "string" && Array.isArray(stage.steps) && stage.steps.every(isInputs);
}
function isInputs(step) {
  if (typeof step !== "object" || step === null || !("text" in step) || !("values" in step) || !("files" in step)) return false;
  const isText = (values) => typeof values === "object" && values !== null && Object.values(values).every((one3) => typeof one3 === "string");
  return typeof step.text === "string" && isText(step.values) && isText(step.files);
}

// src/build/plan.ts
function originsOf(step) {
  if (step.kind === "copy") return [step.from];
  return step.kind === "run" ? step.mounts.flatMap((mount) => "from" in mount ? [mount.from] : []) : [];
}
function renumberStep(step, renumber) {
  if (step.kind === "copy") return { ...step, from: renumber(step.from) };
  if (step.kind !== "run") return step;
  return { ...step, mounts: step.mounts.map((mount) => "from" in mount ? { ...mount, from: renumber(mount.from) } : mount) };
}

// src/build/resume.ts
function isCounted(step, policy) {
  return step.kind === "copy" ? policy.copyLayers : policy.runLayers;
}
async function findResumption(plan, keys3, { cache, policy, accepts }) {
  const wanted = [];
  for (const [number, stage] of plan.stages.entries()) {
    if (policy.isUncached(stage)) continue;
    for (const [i, step] of stage.steps.entries()) {
      const key = keys3[number]?.steps[i];
      if (key !== void 0 && isCounted(step, policy)) wanted.push(key.state, ...key.own === void 0 ? [] : [key.own]);
    }
  }
  const found = /* @__PURE__ */ new Map();
  for (const [key, chain] of await cache.find(wanted)) if (await accepts(chain)) found.set(key, chain);
  const hits = plan.stages.map((stage, number) => {
    const states = keys3[number]?.steps ?? [];
    const last = stage.steps.findLastIndex((_, i) => found.has(states[i]?.state ?? ""));
    const chain = found.get(states[last]?.state ?? "");
    return chain === void 0 ? void 0 : { last, chain };
  });
  return { keys: keys3, hits, layers: found, needed: neededStages(plan, hits) };
}
function allSteps(plan) {
  return { hits: plan.stages.map(() => void 0), needed: neededStages(plan, []) };
}
function neededStages(plan, hits) {
  const needed = /* @__PURE__ */ new Set();
  const pending = [...plan.targets, ...plan.besides];
  for (let number = pending.pop(); number !== void 0; number = pending.pop()) {
    const stage = plan.stages[number];
    if (stage === void 0 || needed.has(number)) continue;
    needed.add(number);
    const hit = hits[number];
    if (hit === void 0 && stage.base.kind === "stage") pending.push(stage.base.stage);
    for (const step of stage.steps.slice(hit === void 0 ? 0 : hit.last + 1))
      for (const origin of originsOf(step)) if (origin.kind === "stage") pending.push(origin.stage);
  }
  return needed;
}

// src/build/explain-plan.ts
function explainPlan(plan, tools) {
  return plan.stages.map((stage, number) => ({
    name: stage.name,
    platform: formatPlatform(stage.platform),
    base: describeBase(stage),
    steps: stage.steps.map((step, i) => ({
      id: `${stage.name} ${i + 2}/${stage.steps.length + 1}`,
      line: step.source.line,
      text: step.source.text,
      ...explainStep(plan, { stage, number, step, i }, tools)
    }))
  }));
}
function explainStep(plan, place, tools) {
  const { stage, number, i } = place;
  const { found, policy } = tools;
  if (!found.needed.has(number)) return { state: "not needed" };
  const hit = found.hits[number];
  const own2 = policy.isUncached(stage) ? void 0 : found.layers.get(found.keys[number]?.steps[i]?.own ?? "");
  const chain = hit !== void 0 && i <= hit.last ? hit.chain : own2;
  if (chain !== void 0) return { state: "cached", ...chain.store === void 0 ? {} : { store: chain.store } };
  return { state: "to build", why: explainBuilt(plan, place, tools) };
}
function explainBuilt(plan, { stage, number, step, i }, { found, inputs, policy, last }) {
  if (policy.isUncached(stage)) return "the cache is not asked";
  if (!isCounted(step, policy)) return `layers of ${step.kind === "copy" ? "COPY and ADD" : "RUN and WORKDIR"} are not cached`;
  const isBuilt = (other) => found.needed.has(other) && (found.hits[other]?.last ?? -1) + 1 < (plan.stages[other]?.steps.length ?? 0);
  const below = [...i === 0 ? [stage.base] : [], ...originsOf(step)];
  const rebuilt = below.find((origin) => origin.kind === "stage" && isBuilt(origin.stage));
  const above = rebuilt?.kind === "stage" ? plan.stages[rebuilt.stage]?.name : void 0;
  const now = { stage, steps: inputs[number] ?? [] };
  return `not in the cache: ${explainMiss(now, i, last, { rebuilt: above, follows: i > (found.hits[number]?.last ?? -1) + 1 })}`;
}
function describeMisses(plan, explained, policy) {
  return explained.flatMap(({ steps }, number) => {
    const i = steps.findIndex(({ state }) => state === "to build");
    const [step, first] = [plan.stages[number]?.steps[i], steps[i]];
    if (step === void 0 || first === void 0 || !isCounted(step, policy)) return [];
    return [`[${first.id}] ${first.text}: ${first.why}`];
  });
}

// src/build/fidelity.ts
var [fullSandbox] = sandboxNames;
function fidelityOf(sandbox) {
  return sandbox === fullSandbox ? "full" : sandbox;
}
function lesserFidelity(a, b) {
  return rankOf(a) >= rankOf(b) ? a : b;
}
function suffices(fidelity, sandbox) {
  return sandbox === void 0 || rankOf(fidelity) <= rankOf(fidelityOf(sandbox));
}
function rankOf(fidelity) {
  const rank = sandboxNames.findIndex((name) => fidelityOf(name) === fidelity);
  return rank < 0 ? sandboxNames.length : rank;
}

// src/build/mode.ts
var shifts = { u: 6, g: 3, o: 0 };
var bits = { r: 4, w: 2, x: 1 };
function readModeChange(text) {
  if (/^[0-7]+$/.test(text) && Number.parseInt(text, 8) <= 4095) return { octal: Number.parseInt(text, 8) };
  const clauses = [];
  for (const part of text.split(",")) {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(part);
    if (match === null || /^\d/.test(text))
      throw new LineError(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
    const [, who = "", actions = ""] = match;
    const everyone = who === "" || who.includes("a") ? "ugo" : who;
    for (const [, operator, what = ""] of actions.matchAll(/([-+=])([rwxXst]+|[ugo])?/g))
      clauses.push({ who: everyone, operator, what });
  }
  return { clauses };
}
function changeMode(change, mode, isDirectory) {
  if ("octal" in change) return change.octal;
  return change.clauses.reduce((before2, clause) => applyClause(clause, before2, isDirectory), mode);
}
function applyClause({ who, operator, what }, mode, isDirectory) {
  let wanted = 0;
  let covered = 0;
  for (const one3 of who) {
    const shift2 = shifts[one3] ?? 0;
    covered |= 7 << shift2;
    wanted |= permissions(what, mode, isDirectory) << shift2;
    const special = one3 === "u" ? 2048 : one3 === "g" ? 1024 : 0;
    covered |= special;
    if (what.includes("s")) wanted |= special;
  }
  if (what.includes("t")) wanted |= 512;
  if (who === "ugo") covered |= 512;
  if (operator === "+") return mode | wanted;
  if (operator === "-") return mode & ~wanted;
  return mode & ~covered | wanted;
}
function permissions(what, mode, isDirectory) {
  const copied = shifts[what];
  if (copied !== void 0) return mode >> copied & 7;
  const runs = what.includes("X") && (isDirectory || (mode & 73) !== 0) ? 1 : 0;
  return [...what].reduce((sum2, letter) => sum2 | (bits[letter] ?? 0), runs);
}
function formatMode(change) {
  if ("octal" in change) return change.octal.toString(8);
  return change.clauses.map(({ who, operator, what }) => `${who}${operator}${what}`).join(",");
}

// src/build/select.ts
var SourceNotFound = class extends Error {
  path;
  constructor(path14, message = `failed to compute cache key: failed to calculate checksum "/${toText(path14)}": not found`) {
    super(message);
    this.path = path14;
  }
};
function cleanPath3(path14) {
  const parts = [];
  for (const part of path14.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}
function selectSources(view, source, parents) {
  if (!parents) return selectPaths(view, source);
  const { base, pattern } = splitPivot(source);
  const isLiteral = !hasWildcard(base) && !hasWildcard(pattern);
  if (isLiteral && !isBelow(view, base, pattern)) throw new SourceNotFound(joinPath(base, pattern));
  return selectPaths(view, base);
}
function splitPivot(source) {
  const pivot = source.indexOf("/./");
  if (pivot < 0) return { base: "", pattern: cleanPath3(source) };
  return { base: cleanPath3(source.slice(0, pivot)), pattern: cleanPath3(source.slice(pivot + 3)) };
}
function isBelow(view, base, path14) {
  return path14 !== "" && view.lstat(joinPath(resolvePath(view, base).path, path14)) !== void 0;
}
function selectPaths(view, source) {
  const parts = cleanPath3(source).split("/");
  const wild = parts.findIndex(hasWildcard);
  if (wild < 0) {
    const path14 = parts.join("/");
    if (resolvePath(view, path14).node === void 0) throw new SourceNotFound(path14);
    return [path14];
  }
  const base = parts.slice(0, wild).join("/");
  const root = resolvePath(view, base);
  if (root.node === void 0) throw new SourceNotFound(base);
  return matchBelow(view, root.path, parts.slice(wild)).map((rest) => joinPath(base, rest));
}
function matchBelow(view, directory, [pattern, ...rest]) {
  if (pattern === void 0) return [];
  const found = [];
  for (const name of view.list(directory)) {
    if (!matchGlob(pattern, name)) continue;
    if (rest.length === 0) found.push(name);
    else if (view.lstat(joinPath(directory, name))?.attributes.type === "directory")
      found.push(...matchBelow(view, joinPath(directory, name), rest).map((below) => joinPath(name, below)));
  }
  return found;
}
function hasWildcard(part) {
  return /[*?[]/.test(part.replace(/\\./gs, ""));
}

// src/build/copy.ts
var rootUser = { uid: 0, gid: 0 };
function madeMode(mode) {
  return mode !== void 0 && "octal" in mode ? mode.octal & 511 : 493;
}
function namesDirectory(path14) {
  const last = nameOf(path14);
  return last === "" || last === ".";
}
function copyPath(draft, source, from, destination, options2) {
  const made = { mode: madeMode(options2.mode), owner: options2.owner, mtime: options2.now };
  const ensured = namesDirectory(destination) ? destination : parentOf(destination);
  draft.makeDirectories(resolvePath(draft, cleanPath3(ensured)).path, made);
  const followed = resolvePath(source.view, from);
  if (followed.node === void 0) throw new SourceNotFound(from);
  let target = resolvePath(draft, cleanPath3(destination)).path;
  const existing = draft.lstat(target);
  const isDirectory = followed.node.attributes.type === "directory";
  if (!isDirectory && existing?.attributes.type === "directory") target = joinPath(target, nameOf(from));
  draft.makeDirectories(isDirectory && existing === void 0 ? target : parentOf(target), made);
  const copier = new Copier(draft, source, options2);
  if (isDirectory) copier.copyContents(followed.path, followed.node, target);
  else copier.copyFile(followed.path, followed.node, target);
}
var Copier = class {
  #draft;
  #source;
  #options;
  #inodes = /* @__PURE__ */ new Map();
  #levels = [];
  constructor(draft, source, options2) {
    this.#draft = draft;
    this.#source = source;
    this.#options = options2;
  }
  /** The directory itself keeps its mode and owner and takes the source's time. */
  copyContents(from, node, to) {
    const target = this.#draft.lstat(to);
    if (target === void 0 || target.attributes.type !== "directory") throw new Error(`cannot copy to non-directory: ${toText(to)}`);
    this.#draft.put(to, { attributes: { ...target.attributes, mtime: node.attributes.mtime, mtimeNs: 0 } });
    this.#copyChildren({ from, node, to, path: "", judgement: void 0, isMade: true });
  }
  copyFile(from, node, to) {
    if (this.#draft.lstat(to)?.attributes.type === "directory") throw new Error(`cannot replace to directory ${toText(to)} with file`);
    const attributes = this.#attributes(node.attributes);
    const content = attributes.type === "file" && attributes.size > 0 ? this.#source.content?.(from) ?? from : void 0;
    this.#draft.put(to, { attributes, inode: this.#inode(node), sha256: node.sha256, content });
  }
  #inode({ inode }) {
    if (inode === void 0) return void 0;
    const copy = this.#inodes.get(inode) ?? {};
    this.#inodes.set(inode, copy);
    return copy;
  }
  #copyChildren(level) {
    this.#levels.push(level);
    for (const name of this.#source.view.list(level.from)) {
      const from = joinPath(level.from, name);
      const node = this.#source.view.lstat(from);
      if (node !== void 0) this.#copyChild(level, { from, node, to: joinPath(level.to, name), path: joinPath(level.path, name) });
    }
    this.#levels.pop();
  }
  #copyChild(level, child) {
    const judgement = this.#options.filter?.judge(child.path, level.judgement);
    const isTaken = judgement?.isTaken ?? true;
    if (isTaken && !level.isMade) for (const above of this.#levels) this.#makeLevel(above);
    if (child.node.attributes.type === "directory") {
      const below = { ...child, judgement, isMade: false };
      if (isTaken) this.#makeLevel(below);
      if (judgement?.reachesBelow ?? true) this.#copyChildren(below);
    } else if (isTaken) this.copyFile(child.from, child.node, child.to);
  }
  /** With --parents, a directory that is there already takes the source's mode, and nothing else of it. */
  #makeLevel(level) {
    if (level.isMade) return;
    level.isMade = true;
    const target = this.#draft.lstat(level.to)?.attributes;
    if (target !== void 0 && target.type !== "directory") throw new Error(`cannot copy to non-directory: ${toText(level.to)}`);
    const isKept = target !== void 0 && this.#options.filter?.isSelective === true;
    const { mode, mtime } = level.node.attributes;
    const attributes = isKept ? { ...target, mode, mtime, mtimeNs: 0 } : this.#attributes(level.node.attributes);
    this.#draft.put(level.to, { attributes });
  }
  #attributes(attributes) {
    const { owner, mode: change } = this.#options;
    const { uid, gid } = owner ?? (this.#source.keepsOwners ? attributes : rootUser);
    const isKept = change === void 0 || attributes.type === "symlink";
    const mode = isKept ? attributes.mode : changeMode(change, attributes.mode, attributes.type === "directory");
    const isSame2 = uid === attributes.uid && gid === attributes.gid && mode === attributes.mode && attributes.mtimeNs === 0;
    return isSame2 ? attributes : { ...attributes, uid, gid, mode, mtimeNs: 0 };
  }
};

// src/build/mount-source.ts
function findSource(view, source) {
  const { path: path14, node } = resolvePath(view, source);
  if (node === void 0) throw new SourceNotFound(source);
  return { path: path14, node };
}
async function listSource({ view, locate, xattrs }, source) {
  const root = findSource(view, source);
  const found = [];
  const visit = (from, path14, node) => {
    found.push({ from, path: path14, node });
    if (node.attributes.type !== "directory") return;
    for (const name of view.list(from)) {
      const child = view.lstat(joinPath(from, name));
      if (child !== void 0) visit(joinPath(from, name), joinPath(path14, name), child);
    }
  };
  visit(root.path, "", root.node);
  const isFilled = ({ attributes: { type, size } }) => type === "file" && size > 0;
  const filled = found.flatMap(({ from, node }) => isFilled(node) ? [from] : []);
  const contentOf = await locate(filled);
  const more = await xattrs?.(filled);
  const first = /* @__PURE__ */ new Map();
  return found.map(({ from, path: path14, node }) => {
    const { attributes, inode } = node;
    const link3 = inode === void 0 ? void 0 : first.get(inode);
    if (link3 !== void 0) return { entry: { ...attributes, type: "hardlink", size: 0, link: link3, path: path14 } };
    if (inode !== void 0 && attributes.type === "file") first.set(inode, path14);
    const content = isFilled(node) ? contentOf(from) : void 0;
    const added = more?.get(from);
    return {
      entry: { ...attributes, path: path14, ...added === void 0 ? {} : { xattrs: added } },
      ...content === void 0 ? {} : { content }
    };
  });
}

// src/build/accounts.ts
function accountsOf(tree) {
  const passwd = resolvePath(tree, "etc/passwd").node?.text;
  const group = resolvePath(tree, "etc/group").node?.text;
  return { ...passwd === void 0 ? {} : { passwd }, ...group === void 0 ? {} : { group } };
}

// src/build/filter.ts
var Filter = class {
  /** Only what a pattern names is taken: directories on the way are no more than the way. */
  isSelective;
  #include;
  #exclude;
  constructor(include, exclude) {
    this.isSelective = include !== void 0;
    this.#include = include === void 0 ? void 0 : readPatterns([include]);
    this.#exclude = exclude.length === 0 ? void 0 : readPatterns(exclude);
  }
  /** `parent` is the judgement of the directory that the path lies in; undefined for the children of the copied directory itself. */
  judge(path14, parent) {
    const included = this.#include?.match(path14, parent?.included);
    const excluded = this.#exclude?.match(path14, parent?.excluded);
    const isIncluded = included?.isIgnored ?? true;
    const isExcluded = excluded?.isIgnored ?? false;
    return {
      isTaken: isIncluded && !isExcluded,
      reachesBelow: (isIncluded || this.#include?.mayIgnoreBelow(path14) === true) && (!isExcluded || this.#exclude?.mayReincludeBelow(path14) === true),
      included,
      excluded
    };
  }
  /** Whether `--exclude` would hide a file that a source names directly, if it were meant to. */
  wouldExclude(name) {
    return this.#exclude?.match(name, void 0).isIgnored ?? false;
  }
};

// src/build/step-copy.ts
var { createHash: createHash8 } = process.getBuiltinModule("node:crypto");
var { createReadStream: createReadStream8 } = process.getBuiltinModule("node:fs");
function makeWorkdir(step, tree, tools) {
  const draft = new Draft(tree);
  const owner = step.user === "" ? void 0 : lookUpOwner("USER", step.user, tree, tools);
  draft.makeDirectories(resolvePath(draft, step.path).path, { mode: 493, owner, mtime: tools.now });
  return draft.items({ locate: () => void 0, hasDigest });
}
async function copyFiles(step, tree, source, tools) {
  const draft = new Draft(tree);
  const options2 = {
    owner: step.chown === void 0 ? void 0 : lookUpOwner("--chown", step.chown, tree, tools),
    mode: step.chmod,
    filter: void 0,
    now: tools.now
  };
  const namedOutright = [];
  for (const [index, operand] of step.sources.entries()) await blaming({ of: "source", index }, () => take2(operand));
  if (namedOutright.length > 0) tools.warn("NamedFileNotExcluded", excludeWarning(namedOutright));
  draft.addXattrs(await source.xattrs?.(draft.sources()) ?? /* @__PURE__ */ new Map());
  return draft.items({ locate: await source.locate(draft.sources()), digested: tools.digested, hasDigest });
  async function take2(operand) {
    if (operand.kind === "inline") {
      const bytes = Buffer.from(operand.text);
      const attributes = { ...plainFile, mode: 420, mtime: tools.now, size: bytes.length };
      copyPath(draft, fileSource(operand.name, attributes, { kind: "bytes", bytes }), operand.name, step.destination, options2);
      return;
    }
    if (operand.kind === "url") {
      const { path: path14, size, mtime } = await tools.downloads.download(operand);
      const content = { kind: "file", path: toRaw(path14), offset: 0, size };
      const file = fileSource(operand.name, { ...plainFile, mode: 384, mtime, size }, content);
      if (operand.unpack && await isArchive(content, orWhole))
        await unpackArchive(draft, content, cleanPath3(step.destination), options2, tools);
      else copyPath(draft, file, operand.name, step.destination, options2);
      return;
    }
    if (operand.kind === "git") {
      const checkout = await tools.downloads.checkOut(operand);
      const source2 = { view: checkout, keepsOwners: false, content: (path14) => checkout.content(path14) };
      copyPath(draft, source2, checkout.base, step.destination, { ...options2, filter: filterOf(step, "") });
      return;
    }
    const filter = filterOf(step, operand.path);
    const selected = selectSources(source.view, operand.path, step.parents);
    if (selected.length === 0) tools.warn("WildcardSelectsNothing", `"${toText(operand.path)}" matches nothing, so nothing is copied`);
    for (const path14 of selected) {
      if (filter?.wouldExclude(nameOf(path14)) && resolvePath(source.view, path14).node?.attributes.type !== "directory")
        namedOutright.push(path14);
      const archive = operand.unpack ? await archiveAt(source, path14) : void 0;
      if (archive === void 0) copyPath(draft, source, path14, step.destination, { ...options2, filter });
      else await unpackArchive(draft, archive, cleanPath3(step.destination), options2, tools);
    }
  }
}
function filterOf(step, source) {
  if (step.parents) return new Filter(splitPivot(source).pattern, step.exclude);
  return step.exclude.length === 0 ? void 0 : new Filter(void 0, step.exclude);
}
function excludeWarning([first = "", ...rest]) {
  const others = rest.length === 0 ? "" : ` and ${rest.length} more`;
  return `--exclude does not keep "${toText(first)}"${others} out: as in BuildKit, it hides what is in a copied directory, not a file that a source names or matches`;
}
async function archiveAt(source, path14) {
  const followed = resolvePath(source.view, path14);
  if (followed.node?.attributes.type !== "file" || followed.node.attributes.size === 0) return void 0;
  const content = (await source.locate([followed.path]))(followed.path);
  return content !== void 0 && await isArchive(content, orWhole) ? content : void 0;
}
function lookUpOwner(word, spec, tree, tools) {
  const { uid, gid, unknown } = findOwner(accountsOf(tree), spec);
  for (const name of unknown) tools.warn("UnknownOwner", `${word}: "${name}" is not in the image's accounts; as in BuildKit, 0 is used`);
  return { uid, gid };
}
var plainFile = { type: "file", uid: 0, gid: 0, mtimeNs: 0, link: "", devMajor: 0, devMinor: 0 };
var orWhole = ", or take the file as it is with ADD --unpack=false";
function fileSource(name, attributes, content) {
  const file = { attributes, inode: void 0 };
  const root = { attributes: directoryAttributes(493, 0, 0, attributes.mtime), inode: void 0 };
  return {
    view: { lstat: (path14) => path14 === "" ? root : path14 === name ? file : void 0, list: (path14) => path14 === "" ? [name] : [] },
    keepsOwners: false,
    content: () => content
  };
}
async function hasDigest(content, sha256) {
  const hash = createHash8("sha256");
  if (content?.kind === "bytes") hash.update(content.bytes);
  else if (content !== void 0 && content.size > 0)
    for await (const chunk of createReadStream8(toBytes(content.path), { start: content.offset, end: content.offset + content.size - 1 }))
      hash.update(chunk);
  return hash.digest("hex") === sha256;
}

// src/build/xattrs.ts
var { setImmediate: setImmediate2 } = process.getBuiltinModule("node:timers/promises");
function withXattrs(contexts2, { helper: helper2, signal }) {
  if (helper2 === void 0) return contexts2;
  const tools = { helper: helper2, signal };
  return new Map(
    [...contexts2].map(([name, files]) => {
      const { directory } = files;
      if (directory === void 0) return [name, files];
      return [
        name,
        {
          ...files,
          xattrs: (paths) => readCapabilities(directory, paths, tools),
          contents: (paths, take2) => readContents(directory, paths, tools, take2)
        }
      ];
    })
  );
}
var manyFiles = 1e3;
function remember2(read) {
  const asked = /* @__PURE__ */ new Set();
  const known = /* @__PURE__ */ new Map();
  const readings = [];
  let gathered;
  async function look(paths) {
    for (const [path14, xattrs] of await read(paths)) known.set(path14, xattrs);
  }
  async function lookSoon(paths) {
    await setImmediate2();
    gathered = void 0;
    await look(paths);
  }
  return async (paths) => {
    const missing = [];
    for (const path14 of paths) {
      if (asked.has(path14)) continue;
      asked.add(path14);
      missing.push(path14);
    }
    if (missing.length >= manyFiles) readings.push(look(missing));
    else if (gathered !== void 0) gathered.push(...missing);
    else if (missing.length > 0) {
      gathered = missing;
      readings.push(lookSoon(missing));
    }
    await Promise.all(readings);
    return known;
  };
}

// src/build/selection.ts
function settleFiles(files) {
  const nodes = /* @__PURE__ */ new Map();
  const digests = /* @__PURE__ */ new Map();
  const { contents } = files;
  const sizeOf4 = (path14) => nodes.get(path14)?.attributes.size ?? 0;
  const take2 = (path14, size, sha256) => size === sizeOf4(path14) && digests.set(path14, sha256);
  const readAll = contents && ((paths) => contents(largeFirst(paths, sizeOf4), take2));
  const read = readAll ?? files.xattrs;
  return {
    ...files,
    xattrs: read && remember2(read),
    lstat(path14) {
      if (!nodes.has(path14)) nodes.set(path14, files.lstat(path14));
      const node = nodes.get(path14);
      const sha256 = digests.get(path14);
      return node === void 0 || sha256 === void 0 ? node : { ...node, sha256 };
    },
    content: (path14) => files.content(path14, nodes.get(path14)?.attributes),
    async digest(path14) {
      const known = digests.get(path14);
      if (known !== void 0) return known;
      const sha256 = await digestContent(files.content(path14, nodes.get(path14)?.attributes));
      digests.set(path14, sha256);
      return sha256;
    }
  };
}
function largeFirst(paths, sizeOf4) {
  const large = [];
  const others = [];
  for (const path14 of paths) (sizeOf4(path14) >= 1 << 20 ? large : others).push(path14);
  return large.length === 0 ? paths : [...large, ...others];
}
async function digestCopied(step, source) {
  const hash = new TextHash("latin1");
  const mode = step.parents ? void 0 : step.chmod;
  const copies = step.sources.flatMap(
    (operand) => operand.kind === "path" ? selectSources(source.view, operand.path, step.parents).map((path14) => {
      const draft = new Draft(emptyTree);
      copyPath(draft, source, path14, "x/", { owner: void 0, mode, filter: filterOf(step, operand.path), now: 0 });
      return { path: path14, draft };
    }) : []
  );
  const xattrs = await source.xattrs?.(sourcesOf(copies));
  for (const { path: path14, draft } of copies) {
    if (xattrs !== void 0) draft.addXattrs(xattrs);
    const items = draft.items({ locate: standIn, hasDigest: async () => false });
    const isDirectory = resolvePath(source.view, path14).node?.attributes.type === "directory";
    hash.update(isDirectory ? "contents\n" : "itself\n");
    const pathOf = (below) => isDirectory ? joinPath(path14, below.slice("x/".length)) : path14;
    if (!await addItems(hash, items, source, pathOf)) return void 0;
  }
  return hash.digest("hex");
}
function* sourcesOf(copies) {
  for (const { draft } of copies) yield* draft.sources();
}
async function digestMounted(source, files) {
  const hash = new TextHash("latin1");
  const items = await listSource({ ...files, locate: async () => standIn }, source);
  return await addItems(hash, items, files, (below) => joinPath(source, below)) ? hash.digest("hex") : void 0;
}
function standIn(path14) {
  return { kind: "file", path: path14, offset: 0, size: 0 };
}
function sourceOf2({ content }) {
  return content?.kind === "file" ? content.path : void 0;
}
async function addItems(hash, items, source, pathOf) {
  for await (const item of items) {
    const { path: path14, type, mode, uid, gid, size, link: link3, devMajor, devMinor, xattrs } = item.entry;
    const from = sourceOf2(item);
    const content = from === void 0 ? "" : await source.digest(from);
    if (content === void 0) return false;
    const capability = xattrs?.get("security.capability") ?? "";
    const what = `${type} ${mode} ${uid} ${gid} ${size} ${devMajor} ${devMinor} ${content}`;
    hash.update(`${what} ${path14.length}:${path14}${link3.length}:${link3}${capability.length}:${capability}
`);
    const held = content === "" ? `${type} ${link3}` : `${content.slice(0, 12)}${Buffer.from(capability, "latin1").toString("hex")}`;
    const owner = uid === 0 && gid === 0 ? "" : ` ${uid}:${gid}`;
    source.note?.(from ?? pathOf(path14), `${mode.toString(8)} ${held}${owner}`);
  }
  return true;
}

// src/build/step-keys.ts
async function computeKeys(plan, tools, salt = () => void 0) {
  const stages = [];
  for (const stage of plan.stages) {
    const made = keysOf(stage, (number) => stages[number], { ...tools, salt: salt(stage) });
    made.catch(() => {
    });
    stages.push(made);
  }
  return Promise.all(stages);
}
async function keysOf(stage, stageAt, tools) {
  const lastOf = async (number) => {
    const keys3 = await stageAt(number);
    if (keys3 === void 0) throw new Error(`Cannot name stage ${number}: it comes later`);
    return keys3.steps.at(-1)?.state ?? keys3.base;
  };
  const identify2 = async (origin, taken) => origin.kind === "stage" ? `stage ${await lastOf(origin.stage)}` : identifyFiles(origin, taken, tools);
  const noted = stage.steps.map(() => new FileNotes());
  const marks = stage.steps.map((step, i) => {
    const note = (path14, mark) => noted[i]?.note(toText(path14) || ".", mark);
    const noting = (origin, taken) => identify2(origin, (files) => taken({ ...files, note }));
    return fingerprint(step, noting, tools);
  });
  for (const mark of marks) mark.catch(() => {
  });
  const start = stage.base.kind === "stage" ? await lastOf(stage.base.stage) : await baseKeyOf(stage, tools);
  const base = tools.salt === void 0 ? start : keyOf("salt", [tools.salt, start]);
  const steps = [];
  let below = base;
  for (const [i, step] of stage.steps.entries()) {
    const mark = await marks[i] ?? "";
    const isAlone = step.kind === "copy" && step.link && tools.salt === void 0;
    const own2 = isAlone ? keyOf("layer", [modeOf(tools), mark]) : void 0;
    const key = { mark, state: stateKey(below, mark), own: own2, inputs: inputsOf(step, noted[i] ?? new FileNotes()) };
    steps.push(key);
    below = key.state;
  }
  return { base, steps };
}
function stateKey(below, mark) {
  return keyOf("step", [below, mark]);
}
function modeOf({ epoch, rewriteTimestamp, reproducible, ignoredPaths }) {
  return JSON.stringify([epoch ?? null, rewriteTimestamp, reproducible, ...ignoredPaths.length === 0 ? [] : [ignoredPaths]]);
}
async function baseKeyOf({ base, platform, config }, tools) {
  const start = ["base", formatPlatform(platform), modeOf(tools)];
  switch (base.kind) {
    case "scratch":
      return keyOf("base", [...start, "scratch"]);
    case "image":
      return keyOf("base", [...start, "image", ...config.rootfs.diff_ids]);
    case "context":
      return keyOf("base", [...start, "files", await digestMounted("", tools.context(base.name ?? "")) ?? ""]);
    case "stage":
      throw new Error("Cannot name a base before its own keys are known");
  }
}
async function identifyFiles(origin, taken, tools) {
  switch (origin.kind) {
    case "scratch":
      return "scratch";
    case "image":
      return `image ${origin.digest} ${formatPlatform(origin.platform)}`;
    case "context":
      return `files ${await taken(tools.context(origin.name ?? ""))}`;
    case "stage":
      throw new Error("Cannot name a stage by its files before it is built");
  }
}
async function fingerprint(step, identify2, tools) {
  return keyOf("what", [JSON.stringify(await partsOf(step, identify2, tools))]);
}
async function partsOf(step, identify2, tools) {
  switch (step.kind) {
    case "workdir":
      return ["workdir", step.path, step.user];
    case "run": {
      const mounts = await Promise.all(step.mounts.map((mount) => partsOfMount(mount, identify2)));
      return ["run", step.args, step.env, step.cwd, step.user, step.network, mounts];
    }
    case "copy": {
      const { sources, parents, link: link3, exclude, destination, chown, chmod: chmod3 } = step;
      const operands = await Promise.all(sources.map((operand) => partsOfOperand(operand, tools)));
      const from = await identify2(step.from, (files) => digestCopied(step, files));
      return ["copy", from, operands, parents, link3, exclude, destination, chown ?? null, chmod3 ?? null];
    }
  }
}
async function partsOfOperand(operand, { identify: identify2 }) {
  switch (operand.kind) {
    case "path":
      return ["path", operand.path, operand.unpack];
    case "inline":
      return ["inline", operand.name, operand.text];
    case "url":
      return ["url", operand.name, operand.unpack, await identify2(operand)];
    case "git":
      return ["git", await identify2(operand)];
  }
}
async function partsOfMount(mount, identify2) {
  switch (mount.kind) {
    case "bind":
      return [
        mount.kind,
        mount.target,
        await identify2(mount.from, (files) => digestMounted(mount.source, files)),
        mount.source,
        mount.writable
      ];
    case "cache": {
      const { target, id, source, owner, writable } = mount;
      return [mount.kind, target, id, await identify2(mount.from, (files) => digestMounted("", files)), source, owner ?? null, writable];
    }
    case "tmpfs":
      return [mount.kind, mount.target, mount.size, mount.writable];
    case "secret":
      return [mount.kind, mount.id, mount.target ?? null, mount.env ?? null, mount.mode, mount.uid, mount.gid];
    case "ssh":
      return [mount.kind, mount.id, mount.target, mount.mode, mount.uid, mount.gid];
    case "script":
      return [mount.kind, mount.target, mount.text];
  }
}

// src/build/build-cache.ts
var { randomUUID: randomUUID12 } = process.getBuiltinModule("node:crypto");
var { basename: basename2 } = process.getBuiltinModule("node:path");
var trustedScope = "";
function openStore(store2, scope, { report, registry }) {
  switch (store2.kind) {
    case "repository":
      return openRegistryStore(store2.reference, { registry, report });
    case "layout":
      return openOciStore(store2.path, { report });
    case "directory":
      return openDirectoryStore(store2.path, { report, maxBytes: store2.maxBytes });
    case "ci":
      return openCiStore({ ...store2, scope, readScopes: [trustedScope] }, { http: registry.http, report });
  }
}
function openBuildCache(request2, tools) {
  const stores2 = request2.stores.map((store2) => openStore(store2, request2.scope, tools));
  return openCache({
    ...tools,
    ...request2,
    stores: stores2,
    readOnly: request2.readOnly || request2.explainOnly,
    readScopes: [trustedScope]
  });
}
function settleContexts(contexts2) {
  return new Map([...contexts2].map(([name, files]) => [name, settleFiles(files)]));
}
async function resume(plan, tools) {
  const { resumption, explained } = await lookUp2(plan, tools);
  for (const text of describeMisses(plan, explained, resumption.policy)) tools.report.emit({ kind: "notice", text });
  return resumption;
}
async function explain(plan, tools) {
  return (await lookUp2(plan, tools)).explained;
}
async function lookUp2(plan, tools) {
  const { cache, request: request2, contexts: contexts2, downloads: downloads2 } = tools;
  const context = (name) => {
    const files = contexts2.get(name);
    if (files === void 0) throw new Error(`Cannot name the files of context "${name}": it was not opened`);
    return { view: files, keepsOwners: files.keepsOwners, digest: (path14) => files.digest(path14), xattrs: files.xattrs };
  };
  const keyTools = { ...tools, epoch: plan.epoch, context, identify: (operand) => downloads2.identify(operand) };
  const policy = { ...request2, isUncached: (stage) => stage.isUncached };
  const kept = await computeKeys(plan, keyTools);
  const salt = randomUUID12();
  const keys3 = plan.stages.some(policy.isUncached) ? await computeKeys(plan, keyTools, (stage) => stage.isUncached ? salt : void 0) : kept;
  const accepts = async ({ fidelity }) => {
    if (fidelity === "full") return true;
    const name = await tools.sandbox().then(
      (sandbox) => sandbox.name,
      () => void 0
    );
    return suffices(fidelity, name);
  };
  const last = await tools.last;
  const found = await findResumption(plan, keys3, { cache, policy, accepts });
  const resumption = { ...found, cache, policy, kept, accepts, context, identify: keyTools.identify };
  return { resumption, explained: explainPlan(plan, { found, inputs: inputsOf2(kept), policy, last }) };
}
function inputsOf2(keys3) {
  return keys3.map(({ steps }) => steps.map((step) => step.inputs));
}
function lastKey({ dockerfile, targets, platforms, destinations, compression, compressionLevel }) {
  const [first] = destinations;
  return keyOf("last", [
    basename2(dockerfile),
    ...targets,
    "",
    ...platforms.map(formatPlatform),
    "",
    first === void 0 ? "" : repositoryName(first),
    `${compression} ${checkLevel(compression, compressionLevel)}`
  ]);
}
async function leaveLast(plan, stages, tools) {
  const { cache, request: request2, resumption, shipping } = tools;
  const { kept, policy } = resumption;
  const chains = plan.stages.map(async ({ steps }, number) => {
    const count = steps.findLastIndex((step) => isCounted(step, policy)) + 1;
    const keys3 = (kept[number]?.steps ?? []).slice(0, count).map(({ state }) => state);
    const built = stages[number];
    const made = built?.made.slice(0, built.made.length - steps.length + count) ?? [];
    const layers = await Promise.all(
      made.map(async (one3) => {
        const known = await one3.kept;
        return known && shipping.kept(known);
      })
    );
    const isWhole2 = built !== void 0 && count > 0 && layers.every((layer) => layer !== void 0);
    const chain = isWhole2 ? { layers: layers.filter((layer) => layer !== void 0), fidelity: built.fidelity } : void 0;
    return { keys: keys3, chain };
  });
  cache.keepLast(lastKey(request2), remember(plan, inputsOf2(kept)), await Promise.all(chains));
}
function openKeeper(cache, tools) {
  const brought = /* @__PURE__ */ new Map();
  const platforms = tools.platforms.map(formatPlatform).join();
  const keyOfMount = ({ id, owner }) => keyOf("mount", [platforms, id, JSON.stringify(owner)]);
  return {
    warn: (text) => tools.report.emit({ kind: "warning", text }),
    async restore(mount) {
      const layer = (await cache.find([keyOfMount(mount)])).get(keyOfMount(mount))?.layers[0]?.layer;
      if (layer !== void 0) brought.set(mount.key, layer.diffId);
      return layer;
    },
    async save(mount, items) {
      const started = performance.now();
      const listed = [];
      let size = 0;
      for await (const item of items) {
        listed.push(item);
        size += item.entry.size;
        if (size <= tools.maxBytes) continue;
        tools.report.emit({ kind: "notice", text: `The cache "${mount.id}" is not kept: it holds more than --cache-mounts-limit` });
        return;
      }
      const { layer, index, compressor } = await writeLayer(listed, { ...tools, level: tools.compressionLevel });
      if (brought.get(mount.key) === layer.diffId) return;
      const created = (/* @__PURE__ */ new Date()).toISOString();
      const kept = { layer, compressor, created, seconds: (performance.now() - started) / 1e3, index: await cache.indexBlob(index) };
      cache.keep([keyOfMount(mount)], { layers: [kept], fidelity: "full" });
    }
  };
}
async function retrying(cache, attempt, signal) {
  for (; ; ) {
    const before2 = cache?.blamed ?? 0;
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || cache === void 0 || cache.blamed === before2) throw error;
    }
  }
}
async function timeOf(stage, cache) {
  const now = (/* @__PURE__ */ new Date()).toISOString();
  if (cache === void 0 || stage?.keys === void 0 || stage.made.length > 0) return now;
  const key = keyOf("time", [stage.keys.made]);
  const known = await cache.findNote(key);
  if (typeof known === "string" && !Number.isNaN(Date.parse(known))) return known;
  cache.keepNote(key, now);
  return now;
}

// src/build/evaluate-copy.ts
function evaluateCopy(instruction, { variables, workdir, source, from, hasNoLayer }) {
  const expand2 = (word2, part) => word2 === void 0 ? void 0 : within(part, () => expandWord(word2, variables)) || void 0;
  const word = instruction.kind === "add" ? "ADD" : "COPY";
  const parents = instruction.kind === "copy" && instruction.parents;
  const chown = expand2(instruction.chown, flagValue("--chown", instruction.chown));
  const chmod3 = expand2(instruction.chmod, flagValue("--chmod", instruction.chmod));
  const paths = instruction.sources.map((path14, index) => expand2(path14, { of: "source", index }) ?? "");
  const checksum = instruction.kind === "add" ? expand2(instruction.checksum, flagValue("--checksum", instruction.checksum)) : void 0;
  if (checksum !== void 0 && paths.length !== 1)
    throw new LineError("checksum can't be specified for multiple sources", void 0, checksumFlag);
  const files = instruction.contents.map((file) => ({
    kind: "inline",
    name: toRaw(file.name),
    text: file.expand ? within({ of: "heredoc", text: file.name }, () => expandBody(file.content, variables)) : file.content
  }));
  const destination = expand2(instruction.destination, { of: "last argument" }) ?? "";
  const flags2 = instruction.kind === "add" ? instruction : { unpack: void 0, keepGitDir: void 0 };
  const sources = paths.map(
    (path14, index) => within({ of: "source", index }, () => readSource(path14, { word, checksum, unpack: flags2.unpack, keepGitDir: flags2.keepGitDir }))
  );
  const operands = [...sources, ...files];
  const exclude = readExcludes(instruction.exclude);
  const words = [
    word,
    ...parents ? ["--parents"] : [],
    ...chown ? [`--chown=${chown}`] : [],
    ...chmod3 ? [`--chmod=${chmod3}`] : [],
    ...paths,
    ...instruction.contents.map((file) => `<<${file.name}`),
    destination
  ];
  const link3 = instruction.link && chmod3 === void 0;
  if (chown !== void 0 && (link3 || hasNoLayer))
    within(flagValue("--chown", instruction.chown), () => refuseNames(chown, link3 ? "with --link" : "where there are no files yet"));
  return {
    kind: "copy",
    source,
    from,
    sources: operands,
    parents,
    link: link3,
    exclude,
    destination: joinDestination(workdir, destination),
    chown,
    chmod: chmod3 === void 0 ? void 0 : within(flagValue("--chmod", instruction.chmod), () => readModeChange(chmod3)),
    createdBy: `${words.join(" ")} # buildkit`
  };
}
function refuseNames(chown, where) {
  const [user = "", group = ""] = chown.split(/:(.*)/s);
  const isName = (text) => text !== "" && !isOwnerNumber(text);
  const kind = isName(user) ? "user" : isName(group) ? "group" : void 0;
  if (kind !== void 0)
    throw new LineError(`invalid ${kind} index: -1: --chown=${chown} names nobody ${where}`, `${where}, write owners as numbers`);
}
function readExcludes(patterns) {
  for (const pattern of patterns) {
    try {
      readPatterns([toRaw(pattern)]);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const part = { ...exactFlag("--exclude", pattern), inner: pattern };
      throw new LineError(`invalid excludepatterns: [${patterns.join(" ")}]: ${error.message}`, void 0, part);
    }
  }
  return patterns.map(toRaw);
}
function joinDestination(workdir, destination) {
  const joined = toRaw(destination.startsWith("/") ? destination : `${workdir}/${destination}`);
  return namesDirectory(joined) ? `${cleanPath3(joined)}/` : cleanPath3(joined);
}
function readSource(text, flags2) {
  const { word, checksum, unpack: unpack2 } = flags2;
  if (isGitSource(text)) {
    if (word === "COPY") throw new LineError("source can't be a git ref for COPY", "use ADD");
    return { kind: "git", source: readGitSource(text, flags2) };
  }
  if (/^https?:\/\//.test(text)) {
    if (word === "COPY") throw new LineError("source can't be a URL for COPY", "use ADD");
    if (!URL.canParse(text)) throw new LineError(`invalid URL: ${text}`);
    const digest = checksum === void 0 ? void 0 : readChecksum(checksum);
    return { kind: "url", url: text, name: toRaw(nameOfUrl(text)), checksum: digest, unpack: unpack2 ?? false };
  }
  if (checksum !== void 0) throw new LineError("checksum requires HTTP(S) or Git sources", void 0, checksumFlag);
  return { kind: "path", path: toRaw(text), unpack: unpack2 ?? word === "ADD" };
}
var checksumFlag = { of: "flag", text: "--checksum" };
function readFlagCommit(text) {
  try {
    return readCommit(text);
  } catch (error) {
    throw error instanceof SyntaxError ? new LineError(error.message, void 0, checksumFlag) : error;
  }
}
function readGitSource(text, { checksum, keepGitDir }) {
  try {
    const source = parseGitSource(text);
    if (keepGitDir !== void 0 && /[?&]keep-git-dir/.test(text) && keepGitDir !== source.keepGitDir)
      throw new LineError("inconsistent keep-git-dir configuration", void 0, { of: "flag", text: "--keep-git-dir" });
    const wanted = checksum === void 0 ? source.checksum : readFlagCommit(checksum);
    if (source.checksum !== void 0 && wanted !== source.checksum)
      throw new LineError(`checksum mismatch ${JSON.stringify(wanted)} != ${JSON.stringify(source.checksum)}`, void 0, checksumFlag);
    return { ...source, ...wanted === void 0 ? {} : { checksum: wanted }, keepGitDir: keepGitDir ?? source.keepGitDir };
  } catch (error) {
    throw error instanceof SyntaxError && !(error instanceof LineError) ? new LineError(error.message) : error;
  }
}
function nameOfUrl(url2) {
  const path14 = url2.replace(/^https?:\/\/[^/?#]*/, "").replace(/[?#].*$/s, "");
  const last = path14.split("/").findLast((part) => part !== "");
  if (last === void 0) return "__unnamed__";
  try {
    return decodeURIComponent(last).split("/").findLast((part) => part !== "" && part !== "." && part !== "..") ?? "__unnamed__";
  } catch {
    throw new LineError(`invalid URL escape in ${url2}`);
  }
}
function readChecksum(text) {
  if (isDigest(text)) return text;
  const [, algorithm, hex = ""] = /^([a-z0-9]+(?:[.+_-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text) ?? [];
  const hint = "write sha256: and 64 hex digits";
  if (algorithm === void 0) throw new LineError(`invalid checksum digest format: --checksum=${text}`, hint, checksumFlag);
  if (algorithm !== "sha256") throw new LineError(`unsupported digest algorithm: --checksum=${text}`, hint, checksumFlag);
  throw new LineError(`invalid checksum digest ${hex.length === 64 ? "format" : "length"}: --checksum=${text}`, hint, checksumFlag);
}

// src/build/scope.ts
var proxyNames = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]);
function platformArguments(target, stageName2) {
  const host = hostPlatform();
  const of = (prefix, platform) => [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform["os.version"] ?? ""],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ""]
  ];
  return new Map([...of("BUILD", host), ...of("TARGET", target), ["TARGETSTAGE", stageName2]]);
}
var Scope = class {
  #env;
  #declared;
  #globals;
  #buildArgs;
  constructor(globals, buildArgs, inherited) {
    this.#globals = globals;
    this.#buildArgs = buildArgs;
    this.#env = new Map(inherited.env);
    this.#declared = new Map(inherited.declared);
  }
  get(name) {
    return this.#env.get(name);
  }
  /** ENV. */
  set(name, value) {
    this.#env.set(name, value);
  }
  /** ARG: the build argument wins over the default, which wins over the global of that name. Gives the value, if it has one. */
  declare(name, fallback) {
    const value = this.#buildArgs.get(name) ?? fallback?.() ?? this.#globals.get(name);
    if (value !== void 0) this.#env.set(name, value);
    this.#declared.set(name, value ?? "");
    return value;
  }
  /** What declared arguments are worth now, in the order of their first declaration: RUN's history shows them. */
  declared() {
    return new Map([...this.#declared].map(([name, value]) => [name, this.#env.get(name) ?? value]));
  }
  /** The environment of a RUN. */
  environment() {
    return [...this.#env].map(([name, value]) => `${name}=${value}`);
  }
  /** The caller's proxies, which a RUN sees besides. */
  proxies() {
    return proxyNames.flatMap((name) => {
      const value = this.#buildArgs.get(name);
      return value === void 0 || this.#env.has(name) ? [] : [`${name}=${value}`];
    });
  }
  /** What a stage built FROM this one starts with. */
  inherited() {
    return { env: [...this.#env], declared: [...this.#declared] };
  }
};

// src/build/globals.ts
function evaluateGlobals(dockerfile, { buildArgs, platform, target }) {
  const { stages, globalArgs } = dockerfile;
  const defaults = platformArguments(platform, target ?? stages.at(-1)?.name ?? "default");
  const globals = new Map([...defaults].map(([name, value]) => [name, buildArgs.get(name) ?? value]));
  for (const { args, range } of globalArgs)
    for (const { name, value } of args) {
      const variables = { get: (key) => globals.get(key), escape: dockerfile.escape };
      const expand2 = (text) => within({ of: "argument", text }, () => expandWord(text, variables));
      const fallback = value === void 0 ? void 0 : locateErrors(dockerfile, range, () => expand2(value));
      const set = buildArgs.get(name) ?? fallback;
      if (set !== void 0) globals.set(name, set);
    }
  return globals;
}

// src/build/named-context.ts
function readNamedContexts(given2) {
  const contexts2 = new Map(
    [...given2].map(([name, value]) => {
      const [base = "", platform] = name.split("::");
      const key = `${contextKey(base)} ${platform ?? ""}`;
      return [key, { name, context: readNamedContext(name, value) }];
    })
  );
  return {
    find(name, platform) {
      const key = contextKey(name);
      return contexts2.get(`${key} ${formatPlatform(platform)}`) ?? contexts2.get(`${key} `);
    }
  };
}
var reserved = ["scratch", "context"];
function readNamedContext(name, value) {
  const fail3 = (why) => new SyntaxError(`Cannot use build context "${name}=${redactText(value)}": ${why}`);
  if (reserved.includes(name.toLowerCase())) throw fail3(`the name "${name}" is reserved`);
  const image = /^docker-image:\/\/(.*)$/.exec(value)?.[1];
  if (image === "scratch") return { kind: "scratch" };
  if (image !== void 0) return { kind: "image", reference: withDefaultTag(parseReference(image)) };
  const layout = parseLayoutReference(value);
  if (layout !== void 0) return { kind: "image", reference: layout };
  if (isGitSource(value)) {
    try {
      return { kind: "files", source: { kind: "git", source: parseGitSource(value) } };
    } catch (error) {
      throw error instanceof SyntaxError ? fail3(error.message) : error;
    }
  }
  if (/^https?:\/\//i.test(value)) return { kind: "files", source: { kind: "web", url: value } };
  if (value.startsWith("target:")) throw fail3("it names a target of a bake file; name a stage of the Dockerfile itself instead");
  const scheme2 = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value)?.[0];
  if (scheme2 !== void 0)
    throw fail3(`unsupported context source ${scheme2}; give a directory, docker-image://, oci-layout://, a git repository or https://`);
  if (!value.startsWith("/")) throw fail3("it must be an absolute directory");
  return { kind: "files", source: { kind: "directory", path: value } };
}
function contextKey(name) {
  try {
    return formatReference(withDefaultTag(parseReference(name.toLowerCase())));
  } catch {
    return name.toLowerCase();
  }
}
function fillStep(name, from, source) {
  return {
    kind: "copy",
    source,
    createdBy: `[context ${name}] ${describeFiles(from)}`,
    from: { kind: "context", name },
    sources: [{ kind: "path", path: "", unpack: false }],
    parents: false,
    link: true,
    exclude: [],
    destination: "/",
    chown: void 0,
    chmod: void 0
  };
}
function describeFiles(from) {
  if (from.kind === "git") return redactText(from.source.remote);
  return from.kind === "web" ? redactText(from.url) : "load from client";
}

// src/build/epoch.ts
var epochName = "SOURCE_DATE_EPOCH";
var lastSecond = 253402300799;
function readEpoch(text) {
  if (text === "") return void 0;
  if (/^\d{1,15}$/.test(text) && Number(text) <= lastSecond) return Number(text);
  throw new LineError(
    `invalid ${epochName}: ${text}`,
    "it must be seconds since 1970, context, a named context, or a stage that is FROM scratch with one remote ADD",
    { of: "argument", text: `${epochName}=${text}`, inner: text, at: epochName.length + 1 }
  );
}
function findEpochSource(dockerfile, request2) {
  const globals = evaluateGlobals(dockerfile, request2);
  const text = globals.get(epochName) ?? request2.buildArgs.get(epochName) ?? "";
  if (text === "" || /^\d+$/.test(text)) return void 0;
  if (text === "context") return { kind: "context" };
  const named2 = readNamedContexts(request2.buildContexts).find(text, request2.platform);
  if (named2 !== void 0) return named2.context.kind === "files" ? { kind: "named", name: named2.name } : { kind: "image" };
  const stage = dockerfile.stages.find(({ name }) => name === text.toLowerCase());
  if (stage === void 0) return locateEpoch(dockerfile, () => void readEpoch(text));
  globals.delete(epochName);
  return { kind: "elsewhere", source: readSourceStage(dockerfile, stage, globals, request2.buildArgs) };
}
async function resolveEpoch(source, dockerfile, { context, named: named2 }) {
  if (source.kind === "image") return void 0;
  if (source.kind === "context") return context.time;
  try {
    return (await (source.kind === "named" ? named2.open(source.name) : named2.openSource(source.source))).time;
  } catch (error) {
    if (!(error instanceof Error) || error.name === "AbortError") throw error;
    throw new DockerfileError(error.message, { file: dockerfile.file, range: findRange(dockerfile), hint: hintOf(error), cause: error });
  }
}
function locateEpoch(dockerfile, read) {
  return locateErrors(dockerfile, findRange(dockerfile), read);
}
function findRange({ globalArgs, stages }) {
  const start = { line: 1, column: 1 };
  const declared = globalArgs.find(({ args }) => args.some(({ name }) => name === epochName))?.range;
  return declared ?? stages[0]?.from.range ?? { start, end: start };
}
function readSourceStage(dockerfile, stage, globals, buildArgs) {
  const env = new Map(globals);
  const variables = { get: (name) => env.get(name), escape: dockerfile.escape };
  const fail3 = (range, why, part) => locateErrors(dockerfile, range, () => {
    throw new LineError(`${epochName} stage ${why}`, void 0, part);
  });
  if (locateErrors(dockerfile, stage.from.range, () => expandWord(stage.from.image, variables)) !== "scratch")
    fail3(stage.from.range, "must use FROM scratch", { of: "argument", index: 0 });
  let found;
  for (const instruction of stage.instructions) {
    const { range } = instruction;
    if (instruction.kind === "arg") {
      for (const { name, value } of instruction.args) {
        const set = buildArgs.get(name) ?? (value && locateErrors(dockerfile, range, () => expandWord(value, variables)));
        if (set !== void 0) env.set(name, set);
      }
      continue;
    }
    if (instruction.kind !== "add")
      fail3(range, `does not meet source-only requirements: unsupported ${instruction.kind} instruction`, { of: "word" });
    if (found !== void 0) fail3(range, "must contain exactly one remote ADD");
    const surroundings = {
      variables,
      workdir: "/",
      source: { line: 0, endLine: 0, text: "" },
      from: { kind: "context" },
      hasNoLayer: false
    };
    const { sources } = locateErrors(dockerfile, range, () => evaluateCopy(instruction, surroundings));
    const [operand, ...others] = sources;
    if (operand === void 0 || others.length > 0) fail3(range, "must contain exactly one remote ADD source", { of: "source", index: 1 });
    if (operand.kind === "git") found = { kind: "git", source: operand.source };
    else if (operand.kind === "url") found = { kind: "web", url: operand.url, checksum: operand.checksum };
    else fail3(range, "source must be a single HTTP(S) or Git ADD", { of: "source", index: 0 });
  }
  if (found === void 0) fail3(stage.from.range, "must contain exactly one remote ADD");
  return found;
}

// src/build/evaluate-run.ts
function evaluateRun(instruction, surroundings) {
  refuseRights(instruction);
  const { command, file } = readScript(instruction);
  const { env, mounts } = evaluateMounts(instruction, surroundings);
  const script = file === void 0 ? [] : [{ kind: "script", target: file.path, text: file.content }];
  return { command, env, network: networkOf(instruction, surroundings.policy), mounts: sortMounts([...mounts, ...script]) };
}
function refuseRights({ security, devices }) {
  if (security === "insecure")
    throw new LineError(
      "RUN --security=insecure: entitlement security.insecure is not allowed: no sandbox gives a command more rights than Docker's default container",
      void 0,
      flagValue("--security", security)
    );
  const [device] = devices;
  if (device !== void 0)
    throw new LineError(`RUN --device=${device.name} is not allowed: no sandbox gives a command a device of this machine`, void 0, {
      of: "flag",
      text: "--device"
    });
}
function networkOf({ network }, policy) {
  const wanted = network === "default" ? policy.network : network;
  if (wanted === "host" && !policy.allowed.includes("network.host"))
    throw new LineError(
      "RUN --network=host: entitlement network.host is not allowed",
      "pass --allow=network.host, or leave the flag out: without it a command has the machine's network too",
      flagValue("--network", network)
    );
  return wanted;
}
function evaluateMounts(instruction, { origins, workdir, env, expand: expand2 }) {
  const files = [];
  const secrets = [];
  const agents = [];
  const take2 = (flag, i) => {
    const mount = readMount(flag, expand2);
    const from = origins[i] ?? { kind: "context" };
    const place = (target) => placeOf(target, workdir);
    switch (mount.type) {
      case "bind": {
        const { source = "", target = "" } = mount;
        files.push({ kind: "bind", target: place(target), from, source: cleanPath3(toRaw(source)), writable: !mount.readonly });
        break;
      }
      case "cache":
        files.push(evaluateCache(mount, flag.from ? from : { kind: "scratch" }, place));
        break;
      case "tmpfs":
        files.push({ kind: "tmpfs", target: place(mount.target ?? ""), size: mount.size ?? 0, writable: !mount.readonly });
        break;
      case "secret":
        secrets.push(evaluateSecret(mount, place));
        break;
      case "ssh": {
        if (mount.source) throw new LineError("ssh does not support source", void 0, { inner: mount.source });
        const target = place(mount.target || `/run/buildkit/ssh_agent.${agents.length}`);
        agents.push({ kind: "ssh", id: mount.id || "default", target, ...ownerOf(mount, 384), required: mount.required });
        break;
      }
    }
  };
  for (const [i, flag] of instruction.mounts.entries()) within(exactFlag("--mount", flag.text), () => take2(flag, i));
  const [agent] = agents;
  const hasAgent = agent === void 0 || env.some((pair) => pair.startsWith("SSH_AUTH_SOCK="));
  return { env: hasAgent ? env : [...env, `SSH_AUTH_SOCK=${agent.target}`], mounts: [...files, ...secrets, ...agents] };
}
function placeOf(target, workdir) {
  const clean = cleanPath3(toRaw(target.startsWith("/") ? target : `${workdir}/${target}`));
  if (clean === "") throw new LineError(`invalid mount target ${JSON.stringify(target)}`, void 0, { inner: target });
  const placed2 = `/${Buffer.from(clean, "latin1").toString("utf8")}`;
  if (/^\/proc(?:\/|$)/.test(placed2))
    throw new LineError(`invalid mount target "${placed2}": cannot be mounted because it is inside /proc`, void 0, { inner: target });
  return placed2;
}
function ownerOf({ mode, uid = 0, gid = 0 }, usual) {
  return { mode: (mode ?? usual) & 4095, uid, gid };
}
function evaluateCache(mount, from, place) {
  const { target = "", id, sharing = "shared", mode, uid, gid } = mount;
  const source = cleanPath3(toRaw(mount.source ?? ""));
  const hasOwner = source === "" && (mode !== void 0 || uid !== void 0 || gid !== void 0);
  const cleaned = Buffer.from(cleanPath3(toRaw(target)), "latin1").toString("utf8");
  return {
    kind: "cache",
    target: place(target),
    id: id || (target.startsWith("/") ? `/${cleaned}` : cleaned || "."),
    sharing,
    from,
    source: hasOwner && from.kind !== "scratch" ? "cache" : source,
    owner: hasOwner ? ownerOf(mount, 493) : void 0,
    writable: !mount.readonly
  };
}
function evaluateSecret(mount, place) {
  const { target, env, required } = mount;
  const id = mount.source || mount.id || nameOf3(target ?? "");
  const file = target || (env === void 0 ? `/run/secrets/${nameOf3(id)}` : void 0);
  return {
    kind: "secret",
    id,
    target: file === void 0 ? void 0 : place(file),
    env: env === void 0 ? void 0 : env || id,
    required,
    ...ownerOf(mount, 256)
  };
}
function nameOf3(path14) {
  return path14.replace(/\/+$/, "").split("/").at(-1) || (path14 === "" ? "." : "/");
}
function sortMounts(mounts) {
  const depth = (target) => target.split("/").length;
  return mounts.toSorted(({ target: a = "" }, { target: b = "" }) => depth(a) - depth(b) || Number(a > b) - Number(a < b));
}

// src/build/history.ts
var historyComment = "buildkit.dockerfile.v0";
var fillComment = "buildkit.exporter.image.v0";
function plainList(words) {
  return `[${words.join(" ")}]`;
}
function healthcheckText(check2) {
  const durations = [
    ["Interval", check2.Interval],
    ["Timeout", check2.Timeout],
    ["StartPeriod", check2.StartPeriod],
    ["StartInterval", check2.StartInterval]
  ];
  const times2 = durations.map(([name, value]) => `${name}:${goDuration(value ?? 0)}`);
  return `{Test:${plainList(check2.Test ?? [])} ${times2.join(" ")} Retries:${check2.Retries ?? 0}}`;
}
function goDuration(nanoseconds2) {
  if (nanoseconds2 === 0) return "0s";
  if (nanoseconds2 < 1e3) return `${nanoseconds2}ns`;
  if (nanoseconds2 < 1e6) return `${nanoseconds2 / 1e3}\xB5s`;
  if (nanoseconds2 < 1e9) return `${nanoseconds2 / 1e6}ms`;
  const hours = Math.floor(nanoseconds2 / 36e11);
  const minutes = Math.floor(nanoseconds2 % 36e11 / 6e10);
  const seconds = nanoseconds2 % 6e10 / 1e9;
  return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}
function argumentsPrefix(values) {
  if (values.size === 0) return "";
  return `|${values.size} ${[...values].map(([name, value]) => `${name}=${value}`).join(" ")} `;
}

// src/build/ports.ts
var protocols = ["tcp", "udp", "sctp"];
function expandPorts(spec) {
  const slash3 = spec.indexOf("/");
  const protocol = (slash3 < 0 ? "tcp" : spec.slice(slash3 + 1)).toLowerCase() || "tcp";
  const wrong = (why) => new RangeError(`invalid containerPort: ${spec}: ${why}`);
  if (!protocols.includes(protocol)) throw wrong(`"${protocol}" is no protocol; use tcp, udp or sctp`);
  const address = slash3 < 0 ? spec : spec.slice(0, slash3);
  const range = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(address.slice(address.lastIndexOf(":") + 1));
  if (range === null) throw wrong("it must be a port, or a range of ports");
  const first = Number(range[1]);
  const last = Number(range[2] ?? range[1]);
  if (first > 65535 || last > 65535) throw wrong("ports end at 65535");
  if (last < first) throw wrong("the range ends before it begins");
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`);
}
function comparePorts(a, b) {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : a > b ? 1 : 0);
}

// src/build/evaluate.ts
var defaultShell = ["/bin/sh", "-c"];
var Evaluation = class {
  steps = [];
  #scope;
  #escape;
  #config;
  #history;
  #image;
  #policy;
  #author;
  #setsCmd = false;
  /** `image` is the base's configuration, with what it triggers already taken out. */
  constructor(image, scope, escapeCharacter, policy) {
    this.#image = image;
    this.#policy = policy;
    this.#scope = scope;
    this.#escape = escapeCharacter;
    this.#config = { ...image.config };
    this.#history = [...image.history ?? []];
    this.#author = image.author;
  }
  /** The configuration so far; `created` and layers are as in the base. */
  image() {
    const author = this.#author === void 0 ? {} : { author: this.#author };
    return { ...this.#image, ...author, config: { ...this.#config }, history: [...this.#history] };
  }
  /** Takes in one instruction. Throws a LineError. `origins` are what a COPY or the mounts of a RUN name, in order. */
  apply(instruction, source, origins) {
    switch (instruction.kind) {
      case "arg":
        this.#declare(instruction.args);
        break;
      case "env":
        this.#setEnv(instruction.pairs);
        break;
      case "label":
        this.#setLabels(instruction.pairs);
        break;
      case "run":
        this.#run(instruction, source, origins);
        break;
      case "copy":
      case "add":
        this.#copy(instruction, source, origins[0] ?? { kind: "context" });
        break;
      case "workdir":
        this.#setWorkdir(instruction.path, source);
        break;
      case "user":
        this.#setUser(instruction.user);
        break;
      case "cmd":
        this.#setCmd(instruction.command);
        break;
      case "entrypoint":
        this.#setEntrypoint(instruction.command);
        break;
      case "shell":
        this.#config.Shell = instruction.args;
        this.#note(`SHELL ${plainList(instruction.args)}`);
        break;
      case "expose":
        this.#expose(instruction.ports);
        break;
      case "volume":
        this.#addVolumes(instruction.paths);
        break;
      case "stopsignal":
        this.#config.StopSignal = checkSignal(this.#expand(instruction.signal));
        this.#note(`STOPSIGNAL ${this.#config.StopSignal}`);
        break;
      case "healthcheck":
        this.#setHealthcheck(instruction);
        break;
      case "onbuild":
        this.#config.OnBuild = [...this.#config.OnBuild ?? [], instruction.trigger];
        break;
      case "maintainer":
        this.#author = instruction.name;
        this.#note(`MAINTAINER ${instruction.name}`);
        break;
      default:
        instruction;
    }
  }
  /** Takes in the files that a stage begins with, where they are no image. */
  fill(step) {
    this.steps.push(step);
    this.#history.push({ created_by: step.createdBy, comment: fillComment });
  }
  /** `--label`, after all instructions. */
  addLabels(labels) {
    if (labels.size > 0) this.#config.Labels = { ...this.#config.Labels, ...Object.fromEntries(labels) };
  }
  /** A word that stands so among the arguments. */
  #expand(text) {
    return within({ of: "argument", text }, () => this.#expandWord(text));
  }
  #expandWord(word) {
    return expandWord(word, { get: (name) => this.#scope.get(name), escape: this.#escape });
  }
  /** A history line without a layer. */
  #note(createdBy) {
    this.#history.push({ created_by: createdBy, comment: historyComment, empty_layer: true });
  }
  #addStep(step) {
    this.steps.push(step);
    this.#history.push({ created_by: step.createdBy, comment: historyComment });
  }
  #declare(args) {
    const texts = args.map(({ name, value }) => {
      const set = this.#scope.declare(name, value === void 0 ? void 0 : () => this.#expand(value));
      return set === void 0 ? name : `${name}=${set}`;
    });
    this.#note(`ARG ${texts.join(" ")}`);
  }
  /** Every pair of a line sees the variables as they were before it. */
  #setEnv(pairs) {
    const expanded = pairs.map(({ key, value }) => [this.#expand(key), this.#expand(value)]);
    const env = new Map(splitEnv(this.#config.Env));
    for (const [key, value] of expanded) {
      this.#scope.set(key, value);
      env.set(key, value);
    }
    this.#config.Env = [...env].map(([key, value]) => `${key}=${value}`);
    this.#note(`ENV ${expanded.map(([key, value]) => `${key}=${value}`).join(" ")}`);
  }
  #setLabels(pairs) {
    const expanded = pairs.map(({ key, value }) => [this.#expand(key), this.#expand(value)]);
    this.#config.Labels = { ...this.#config.Labels, ...Object.fromEntries(expanded) };
    this.#note(`LABEL ${expanded.map(([key, value]) => `${key}=${value}`).join(" ")}`);
  }
  #run(instruction, source, origins) {
    const { command, ...reach } = evaluateRun(instruction, {
      ...{ origins, policy: this.#policy, expand: (word) => this.#expandWord(word) },
      ...{ workdir: this.#workdir(), env: this.#scope.environment() }
    });
    const args = this.#commandOf(command);
    const createdBy = `RUN ${argumentsPrefix(this.#scope.declared())}${args.join(" ")} # buildkit`;
    const place = { cwd: this.#workdir(), user: this.#config.User ?? "", proxies: this.#scope.proxies() };
    this.#addStep({ kind: "run", source, args, ...place, ...reach, createdBy });
  }
  #copy(instruction, source, from) {
    const variables = { get: (name) => this.#scope.get(name), escape: this.#escape };
    const hasNoLayer = this.#history.every((line) => line.empty_layer === true);
    this.#addStep(evaluateCopy(instruction, { variables, workdir: this.#workdir(), source, from, hasNoLayer }));
  }
  #setWorkdir(path14, source) {
    const wanted = this.#expand(path14);
    const directory = wanted.startsWith("/") ? wanted : `/${cleanPath3(`${this.#workdir()}/${wanted}`)}`;
    this.#config.WorkingDir = directory;
    const createdBy = `WORKDIR ${directory}`;
    if (directory === "/") this.#note(createdBy);
    else this.#addStep({ kind: "workdir", source, path: toRaw(cleanPath3(directory)), user: this.#config.User ?? "", createdBy });
  }
  /** Absolute and clean, whatever the base says. */
  #workdir() {
    return `/${cleanPath3(this.#config.WorkingDir ?? "")}`;
  }
  #setUser(user) {
    this.#config.User = this.#expand(user);
    this.#note(`USER ${this.#config.User}`);
  }
  #inShell(text) {
    const shell = this.#config.Shell ?? [];
    return [...shell.length === 0 ? defaultShell : shell, text];
  }
  #commandOf(command) {
    return command.form === "exec" ? command.args : this.#inShell(command.text);
  }
  #setCmd(command) {
    this.#config.Cmd = this.#commandOf(command);
    this.#config.ArgsEscaped = true;
    this.#setsCmd = true;
    this.#note(`CMD ${quoteList(this.#config.Cmd)}`);
  }
  /** A CMD of the base meant the base's entrypoint; one of this stage stays. */
  #setEntrypoint(command) {
    this.#config.Entrypoint = this.#commandOf(command);
    if (!this.#setsCmd) delete this.#config.Cmd;
    this.#note(`ENTRYPOINT ${quoteList(this.#config.Entrypoint)}`);
  }
  #expose(words) {
    const variables = { get: (name) => this.#scope.get(name), escape: this.#escape };
    const read = (word) => expandWords(word, variables).flatMap(readPorts);
    const specs = words.flatMap((text) => within({ of: "argument", text }, () => read(text)));
    const ports = [...new Set(specs)].sort(comparePorts);
    this.#config.ExposedPorts = { ...this.#config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
    this.#note(`EXPOSE ${plainList(ports)}`);
  }
  #addVolumes(words) {
    const paths = words.map((word) => this.#expand(word));
    const blank = paths.indexOf("");
    if (blank >= 0) throw new LineError("VOLUME specified can not be an empty string", void 0, { of: "argument", index: blank });
    this.#config.Volumes = { ...this.#config.Volumes, ...Object.fromEntries(paths.map((path14) => [path14, {}])) };
    this.#note(`VOLUME ${plainList(paths)}`);
  }
  #setHealthcheck(instruction) {
    const { command, interval, timeout, startPeriod, startInterval, retries } = instruction;
    const test = command === void 0 ? ["NONE"] : command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.text];
    this.#config.Healthcheck = {
      Test: test,
      ...interval === void 0 ? {} : { Interval: interval },
      ...timeout === void 0 ? {} : { Timeout: timeout },
      ...startPeriod === void 0 ? {} : { StartPeriod: startPeriod },
      ...startInterval === void 0 ? {} : { StartInterval: startInterval },
      ...retries === void 0 ? {} : { Retries: retries }
    };
    this.#note(`HEALTHCHECK ${healthcheckText(this.#config.Healthcheck)}`);
  }
};
function splitEnv(env) {
  return (env ?? []).map((pair) => {
    const equals = pair.indexOf("=");
    return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
  });
}
function readPorts(spec) {
  try {
    return expandPorts(spec);
  } catch (error) {
    throw error instanceof RangeError ? new LineError(error.message) : error;
  }
}
var signalNumberLimit = 64;
var signalName = /^(?:SIG)?(?:ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN(?:\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)$/i;
function checkSignal(text) {
  const number = /^\d+$/.test(text) ? Number(text) : void 0;
  const known = number === void 0 ? signalName.test(text) : number > 0 && number <= signalNumberLimit;
  if (!known) throw new LineError(`invalid signal: ${text}`, void 0, { of: "arguments" });
  return text;
}

// src/build/directives.ts
var ownFrontend = /(?:^|\/)docker\/dockerfile(?:-upstream)?(?:[:@]|$)/;
function directiveWarnings({ directives: { syntax } }) {
  const warnings = [];
  if (syntax !== void 0 && !ownFrontend.test(syntax.value))
    warnings.push({ text: `syntax=${syntax.value} is not used: the file is read as a Dockerfile`, line: syntax.line });
  return warnings;
}

// src/build/emulation.ts
var { readdir: readdir5, readFile: readFile10 } = process.getBuiltinModule("node:fs/promises");
var registrations = "/proc/sys/fs/binfmt_misc";
var architectures = {
  "1 1 3": "386",
  "1 1 8": "mipsle",
  "1 1 40": "arm",
  "1 2 8": "mips",
  "2 1 8": "mips64le",
  "2 1 21": "ppc64le",
  "2 1 62": "amd64",
  "2 1 183": "arm64",
  "2 1 243": "riscv64",
  "2 1 258": "loong64",
  "2 2 8": "mips64",
  "2 2 21": "ppc64",
  "2 2 22": "s390x"
};
async function findEmulators() {
  const names2 = await readdir5(registrations).catch(() => []);
  const texts = await Promise.all(names2.map((name) => readFile10(`${registrations}/${name}`, "utf8").catch(() => "")));
  return texts.flatMap((text) => emulatedArchitecture(text) ?? []);
}
function emulatedArchitecture(registration) {
  const magic = /^offset 0\nmagic (7f454c46(?:[0-9a-f]{2}){16,})$/m.exec(registration)?.[1];
  if (magic === void 0 || !registration.startsWith("enabled\n")) return void 0;
  const bytes = Buffer.from(magic, "hex");
  const machine = bytes[5] === 2 ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18);
  return architectures[`${bytes[4]} ${bytes[5]} ${machine}`];
}
function canRun(platform, emulators) {
  const host = hostPlatform();
  if (platform.os !== host.os) return false;
  if (platform.architecture === host.architecture || emulators.includes(platform.architecture)) return true;
  return host.architecture === "amd64" && platform.architecture === "386";
}

// src/build/origin-part.ts
function originPart(kind, from) {
  return kind === "run" ? { of: "flag", text: "--mount", inner: `from=${from}` } : flagValue("--from", from);
}

// src/build/uncached.ts
function isUncached({ name }, { all, stages }) {
  return all || stages.some((one3) => one3.toLowerCase() === name);
}
function unknownStageWarnings(stages, uncached) {
  const names2 = stages.flatMap(({ name }) => name ?? []);
  return uncached.stages.filter((one3) => !names2.includes(one3.toLowerCase())).map((one3) => ({ text: [`--no-cache-filter: there is no stage "${one3}"`, suggest(one3, names2) ?? []].flat().join("; ") }));
}
function freshCaches({ stages }) {
  const mounts = stages.filter((stage) => stage.isUncached).flatMap(({ steps }) => steps.flatMap((step) => step.kind === "run" ? step.mounts : []));
  return new Set(mounts.flatMap((mount) => mount.kind === "cache" ? mount.id : []));
}

// src/build/make-plan.ts
var defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
function makePlan(dockerfile, bases, request2) {
  const planner = new Planner(dockerfile, bases, request2);
  const target = planner.target();
  planner.visit(target, []);
  planner.checkOthers();
  if (planner.wanted.length > 0) return { wanted: planner.wanted };
  return { plan: planner.plan(target) };
}
var Planner = class {
  wanted = [];
  #dockerfile;
  #bases;
  #request;
  #globals;
  #contexts;
  /** By index in the Dockerfile; undefined while something of the stage is wanted. */
  #visited = /* @__PURE__ */ new Map();
  constructor(dockerfile, bases, request2) {
    this.#dockerfile = dockerfile;
    this.#bases = bases;
    this.#request = { ...request2, buildArgs: settleEpoch(request2.buildArgs, request2.epoch) };
    this.#contexts = readNamedContexts(request2.buildContexts);
    this.#globals = settleEpoch(evaluateGlobals(dockerfile, request2), request2.epoch);
  }
  target() {
    const { stages } = this.#dockerfile;
    const name = this.#request.target;
    const found = name === void 0 || name === "" ? stages.at(-1) : stages.findLast((stage) => stage.name === name.toLowerCase());
    if (found !== void 0) return found;
    const hint = suggest(
      name ?? "",
      stages.flatMap((stage) => stage.name ?? [])
    );
    throw new DockerfileError(`target stage "${name}" could not be found: ${name} is not a valid target build stage`, {
      file: this.#dockerfile.file,
      range: stages[0]?.range ?? { start: { line: 1, column: 1 }, end: { line: 1, column: 1 } },
      hint
    });
  }
  /** Evaluates a stage and, first, those it needs. Gives undefined while an image must be known before. */
  visit(stage, above) {
    if (above.includes(stage)) this.#fail(stage.from.range, `circular dependency detected on stage: ${stageName(stage)}`, fromImage);
    if (!this.#visited.has(stage.index)) this.#visited.set(stage.index, this.#evaluate(stage, [...above, stage]));
    return this.#visited.get(stage.index);
  }
  /** Of the stages that nothing is needed of, names that cannot be are errors all the same, as in BuildKit. */
  checkOthers() {
    const { stages } = this.#dockerfile;
    for (const stage of stages.filter(({ index }) => !this.#visited.has(index))) {
      const { image, platform } = this.#readFrom(stage);
      const isKnown = image === "scratch" || [stage.name, image].some((name) => name !== void 0 && this.#contexts.find(name, platform));
      if (!isKnown && findBaseStage(stages, stage.index, image) === void 0) this.#readImage(stage, image);
    }
  }
  plan(target) {
    const visited = [...this.#visited.values()].filter((entry) => entry !== void 0).sort((a, b) => a.stage.index - b.stage.index);
    const places = new Map(visited.map(({ stage }, place) => [stage.index, place]));
    const renumber = (origin) => origin.kind === "stage" ? { kind: "stage", stage: places.get(origin.stage) ?? origin.stage } : origin;
    const stages = visited.map((entry) => {
      if (entry.stage === target) entry.evaluation.addLabels(this.#request.labels);
      return {
        index: entry.stage.index,
        name: stageName(entry.stage),
        base: renumber(entry.base),
        baseText: entry.stage.from.image,
        line: entry.stage.from.range.start.line,
        platform: entry.platform,
        isUncached: isUncached(entry.stage, this.#request.uncached),
        steps: entry.evaluation.steps.map((step) => renumberStep(step, renumber)),
        config: { ...entry.evaluation.image(), ...platformFields(entry.platform) },
        inheritedHistory: entry.inheritedHistory
      };
    });
    return {
      stages,
      targets: [places.get(target.index) ?? 0],
      besides: [],
      epoch: this.#epoch(),
      warnings: [...directiveWarnings(this.#dockerfile), ...unknownStageWarnings(this.#dockerfile.stages, this.#request.uncached)]
    };
  }
  /** A build argument, or the default of a global ARG. */
  #epoch() {
    const { epoch, buildArgs } = this.#request;
    if (epoch !== void 0) return epoch.seconds;
    return locateEpoch(this.#dockerfile, () => readEpoch(this.#globals.get(epochName) ?? buildArgs.get(epochName) ?? ""));
  }
  #evaluate(stage, above) {
    const { from } = stage;
    const { image, platform } = this.#readFrom(stage);
    const replacement2 = stage.name === void 0 ? void 0 : this.#contexts.find(stage.name, platform);
    if (replacement2 !== void 0) return this.#replace(stage, platform, replacement2);
    const opened = this.#openBase(stage, image, platform, above);
    if (opened === void 0) return void 0;
    const { base, config, scope, fill } = opened;
    const triggers = config.config?.OnBuild ?? [];
    const { OnBuild: _, ...inherited } = config.config ?? {};
    const env = splitEnv(inherited.Env).some(([name]) => name === "PATH") ? inherited.Env ?? [] : [...inherited.Env ?? [], defaultPath];
    for (const [name, value] of splitEnv(env)) if (scope.get(name) === void 0) scope.set(name, value);
    const evaluation = new Evaluation({ ...config, config: { ...inherited, Env: env } }, scope, this.#dockerfile.escape, this.#request);
    if (fill !== void 0) evaluation.fill(fill);
    const placed2 = [
      ...triggers.map((text) => ({
        instruction: parseOnbuild(text, this.#dockerfile.file, from.range),
        range: from.range,
        isTrigger: true
      })),
      ...stage.instructions.map((instruction) => ({ instruction, range: instruction.range, isTrigger: false }))
    ];
    const inheritedHistory = config.history?.length ?? 0;
    const origins = placed2.map((one3) => namesOf(one3.instruction).map((from2) => this.#sourceOf(from2, one3, stage, above)));
    if (origins.flat().includes(void 0)) return void 0;
    for (const [i, one3] of placed2.entries()) {
      const known = origins[i]?.filter((origin) => origin !== void 0) ?? [];
      this.#of(one3, () => evaluation.apply(one3.instruction, sourceAt(one3), known));
    }
    const run2 = evaluation.steps.find((step) => step.kind === "run");
    if (run2 !== void 0 && !canRun(platform, this.#request.emulators)) this.#refuseForeign(run2.source, stage, platform);
    return { stage, platform, evaluation, scope, base, inheritedHistory };
  }
  #readFrom({ from }) {
    const variables = { get: (name) => this.#globals.get(name), escape: this.#dockerfile.escape };
    const image = this.#at(from.range, () => within(fromImage, () => expandWord(from.image, variables)));
    if (image === "") this.#fail(from.range, `base name (${from.image}) should not be blank`, fromImage);
    const platform = this.#at(from.range, () => {
      const read = () => this.#platformOf(from.platform === void 0 ? "" : expandWord(from.platform, variables));
      return within(flagValue("--platform", from.platform), read);
    });
    return { image, platform };
  }
  #readImage(stage, image) {
    return this.#at(stage.from.range, () => within(fromImage, () => readReference(image)));
  }
  #refuseForeign(source, stage, platform) {
    const wanted = formatPlatform(platform);
    const reason = `Cannot run the RUN of line ${source.line}: stage "${stageName(stage)}" is for ${wanted}, and this machine is ${formatPlatform(hostPlatform())}, without an emulator`;
    const { file } = this.#dockerfile;
    const hint = `register an emulator for ${wanted} with binfmt_misc and its flag F, or build the stage with FROM --platform=$BUILDPLATFORM`;
    throw new DockerfileError(reason, { file, range: stage.from.range, hint });
  }
  /** A named context stands for a stage as a whole: none of its instructions counts. */
  #replace(stage, platform, { name, context }) {
    const opened = this.#openNamed(stage, name, context, platform);
    if (opened === void 0) return void 0;
    const { base, config, scope, fill } = opened;
    const evaluation = new Evaluation(config, scope, this.#dockerfile.escape, this.#request);
    if (fill !== void 0) evaluation.fill(fill);
    return { stage, platform, evaluation, scope, base, inheritedHistory: config.history?.length ?? 0 };
  }
  /** An earlier stage, a named context, or an image. */
  #openBase(stage, image, platform, above) {
    const parent = findBaseStage(this.#dockerfile.stages, stage.index, image);
    if (parent !== void 0) {
      const visited = this.visit(parent, above);
      if (visited === void 0) return void 0;
      const scope = new Scope(this.#globals, this.#request.buildArgs, visited.scope.inherited());
      return { base: { kind: "stage", stage: parent.index }, config: visited.evaluation.image(), scope };
    }
    const named2 = this.#contexts.find(image, platform);
    if (named2 !== void 0) return this.#openNamed(stage, named2.name, named2.context, platform);
    if (image === "scratch") return this.#openNamed(stage, image, { kind: "scratch" }, platform);
    return this.#openNamed(stage, image, { kind: "image", reference: this.#readImage(stage, image) }, platform);
  }
  #openNamed(stage, name, context, platform) {
    const scope = new Scope(this.#globals, this.#request.buildArgs, { env: [], declared: [] });
    const source = sourceAt({ instruction: stage.from, range: stage.from.range, isTrigger: false });
    if (context.kind === "image") {
      const base = this.#findImage({ reference: context.reference, platform, source, part: fromImage, hint: this.#nearStage(name) });
      if (base === void 0) return void 0;
      const { created: _, ...config } = base.config;
      return { base: { kind: "image", reference: base.reference, digest: base.digest, platform }, config, scope };
    }
    const empty = { base: { kind: "scratch" }, config: emptyImage(platform), scope };
    return context.kind === "scratch" ? empty : { ...empty, fill: fillStep(name, context.source, source) };
  }
  /** Where a COPY or a mount takes its files from; undefined while that must be known first. */
  #sourceOf(from, placed2, stage, above) {
    if (!from) return { kind: "context" };
    const { instruction } = placed2;
    const part = originPart(instruction.kind, from);
    const fail3 = (reason) => {
      throw new LineError(reason);
    };
    if (from === "scratch") return { kind: "scratch" };
    const [verb, takesNumbers] = instruction.kind === "run" ? ["mount", false] : ["copy", true];
    const isStage3 = takesNumbers || !/^\d+$/.test(from);
    const read = (action) => this.#of(placed2, () => within(part, action));
    const found = isStage3 ? read(() => rangeErrorsAsLineErrors(() => findStage(this.#dockerfile.stages, from))) : void 0;
    if (found === void 0) {
      const named2 = this.#contexts.find(from, this.#request.platform);
      if (named2?.context.kind === "files") return { kind: "context", name: named2.name };
      if (named2?.context.kind === "scratch") return { kind: "scratch" };
      const reference = named2?.context.reference ?? read(() => readReference(from));
      const { platform } = this.#request;
      const base = this.#findImage({ reference, platform, source: sourceAt(placed2), part, hint: this.#nearStage(from) });
      return base && { kind: "image", reference: base.reference, digest: base.digest, platform };
    }
    if (found === stage) read(() => fail3(`circular dependency detected on stage: ${stageName(stage)}`));
    if (found.index > stage.index)
      read(() => fail3(`cannot ${verb} from stage "${from}", it needs to be defined before current stage "${stageName(stage)}"`));
    return this.visit(found, above) && { kind: "stage", stage: found.index };
  }
  #findImage(wanted) {
    const base = this.#bases.get(baseKey(wanted.reference, wanted.platform));
    if (base === void 0) this.wanted.push(wanted);
    return base;
  }
  /** A name that is no stage is an image; perhaps it should have been a stage. */
  #nearStage(name) {
    const near = suggest(
      name.toLowerCase(),
      this.#dockerfile.stages.flatMap((stage) => stage.name ?? [])
    );
    return near && `there is no stage "${name}" before this line; ${near}`;
  }
  #platformOf(text) {
    if (text === "") return this.#request.platform;
    try {
      return parsePlatform(text);
    } catch (error) {
      throw new LineError(error instanceof Error ? error.message : String(error));
    }
  }
  #at(range, action) {
    return locateErrors(this.#dockerfile, range, action);
  }
  /** What is wrong with a trigger is shown where it is triggered. */
  #of({ range, isTrigger }, action) {
    const located = isTrigger ? { file: this.#dockerfile.file } : this.#dockerfile;
    return locateErrors(located, range, action);
  }
  #fail(range, reason, part) {
    return this.#at(range, () => {
      throw new LineError(reason, void 0, part);
    });
  }
};
var fromImage = { of: "argument", index: 0 };
function settleEpoch(variables, epoch) {
  if (epoch === void 0 || !variables.has(epochName)) return variables;
  return new Map(variables).set(epochName, String(epoch.seconds ?? ""));
}
function readReference(text) {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LineError(`failed to parse stage name "${text}": invalid reference format: ${reason}`);
  }
}
function rangeErrorsAsLineErrors(action) {
  try {
    return action();
  } catch (error) {
    throw error instanceof RangeError ? new LineError(error.message) : error;
  }
}
function namesOf(instruction) {
  if (instruction.kind === "run") return instruction.mounts.map(({ from }) => from);
  return [instruction.kind === "copy" ? instruction.from : void 0];
}
function sourceAt({ instruction, range, isTrigger }) {
  const text = instruction.text.replace(/\s+/g, " ");
  return { line: range.start.line, endLine: range.end.line, text, ...isTrigger ? { isTrigger } : {} };
}
function stageName(stage) {
  return stage.name ?? `stage-${stage.index}`;
}
function emptyImage(platform) {
  return { ...platformFields(platform), config: { Env: [defaultPath], WorkingDir: "/" }, rootfs: { type: "layers", diff_ids: [] } };
}
function platformFields(platform) {
  const { os, architecture, variant } = platform;
  return { os, architecture, ...variant === void 0 ? {} : { variant } };
}

// src/build/check.ts
function checkBeforeBuild(dockerfile, known, request2, context) {
  const target = findTarget(dockerfile, request2.target) ?? dockerfile.stages.at(-1);
  return runChecks(dockerfile, known, request2, context, target);
}
function reportChecked({ file, findings, error }, report) {
  for (const { rule, message, range } of findings)
    report.emit({ kind: "warning", text: `${rule}: ${message}`, file, line: range.start.line });
  if (error) throw new BuildFailure(error.message, { place: error.place });
}
function joinChecked(checked2) {
  const [first] = checked2;
  if (first === void 0) throw new TypeError("a build has a platform");
  const findings = new Map(checked2.flatMap((one3) => one3.findings).map((finding) => [JSON.stringify(finding), finding]));
  const error = checked2.find((one3) => one3.error !== void 0)?.error;
  const sorted = [...findings.values()].sort((a, b) => a.range.start.line - b.range.start.line);
  return { ...first, findings: sorted, ...error ? { error } : {} };
}
function runChecks(dockerfile, known, request2, context, target) {
  const config = readConfig2(dockerfile, request2.buildArgs);
  const findings = checkDockerfile(dockerfile, config, gatherFacts(dockerfile, known, request2, context, target));
  const violation = formatViolation(config, findings);
  const { file } = dockerfile;
  const { text: source } = context.dockerfile;
  const error = violation && { message: violation.message, place: placeOf2({ file, source }, violation.range) };
  return { file, source, findings, silenced: findSilenced(dockerfile, config), ...error ? { error } : {} };
}
async function checkOnly(file, request2, context, bases, report) {
  const { text } = context.dockerfile;
  const known = /* @__PURE__ */ new Map();
  const asked = /* @__PURE__ */ new Set();
  const find = async ({ reference, platform }) => {
    const key = baseKey(reference, platform);
    if (asked.has(key)) return;
    asked.add(key);
    try {
      known.set(key, await bases.base(reference, platform));
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AbortError") throw error;
      const without = "without it, InvalidBaseImagePlatform and part of UndefinedVar are left out";
      report.emit({ kind: "notice", text: `Base image ${formatImageName(reference)} cannot be looked at (${error.message}); ${without}` });
    }
  };
  let checked2 = { file, source: text, findings: [], silenced: /* @__PURE__ */ new Set() };
  try {
    const dockerfile = parseDockerfile(text, file);
    await Promise.all([...findBases(dockerfile, request2).values()].map(find));
    checked2 = runChecks(dockerfile, known, request2, context, findTarget(dockerfile, request2.target));
    const settled = findEpochSource(dockerfile, request2) === void 0 ? request2 : { ...request2, epoch: { seconds: void 0 } };
    for (let tried = -1; tried < asked.size; ) {
      tried = asked.size;
      const made = makePlan(dockerfile, known, settled);
      if ("wanted" in made) await Promise.all(made.wanted.map(find));
    }
    return checked2;
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const message = error.hint === void 0 ? error.reason : `${error.reason} (${error.hint})`;
    return { ...checked2, error: { message, place: { ...placeOf2({ file, source: text }, error.instruction), exact: error.range } } };
  }
}
function readConfig2(dockerfile, buildArgs) {
  try {
    return readCheckConfig(dockerfile, buildArgs);
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    throw new BuildFailure(`Cannot use the build argument BUILDKIT_DOCKERFILE_CHECK: ${error.message}`, { hint: error.hint, cause: error });
  }
}
function placeOf2({ file, source }, range) {
  return { file, source, line: range.start.line, endLine: range.end.line };
}
function findTarget({ stages }, name) {
  return name === void 0 ? void 0 : stages.findLast((stage) => stage.name === name.toLowerCase());
}
function gatherFacts(dockerfile, known, request2, context, target) {
  const bases = /* @__PURE__ */ new Map();
  for (const [index, { reference, platform }] of findBases(dockerfile, request2)) {
    const base = known.get(baseKey(reference, platform));
    if (base) bases.set(index, describeBase2(base, platform));
  }
  const isIgnored = (source) => context.isIgnored(toRaw(source.replace(/^\/+/, "")));
  const images = /* @__PURE__ */ new Map();
  const instructions = dockerfile.stages.flatMap((stage) => stage.instructions);
  for (const name of instructions.flatMap((one3) => one3.kind === "copy" ? one3.from ?? [] : [])) {
    const reference = findReference(name, request2.platform, request2);
    const base = reference && known.get(baseKey(reference, request2.platform));
    if (base) images.set(name, describeBase2(base, request2.platform));
  }
  return { ...given(dockerfile, request2), target, bases, images, isIgnored: context.hasExceptions ? void 0 : isIgnored };
}
function given(dockerfile, { buildArgs, platform, target }) {
  const defaults = platformArguments(platform, target ?? dockerfile.stages.at(-1)?.name ?? "default");
  return { buildArgs, predefined: new Map([...defaults].map(([name, value]) => [name, buildArgs.get(name) ?? value])) };
}
function findBases(dockerfile, request2) {
  const found = /* @__PURE__ */ new Map();
  for (const [index, { image, platform }] of findBaseImages(dockerfile, given(dockerfile, request2))) {
    const wanted = platform === "" ? request2.platform : orUndefined(() => parsePlatform(platform));
    const name = dockerfile.stages[index]?.name;
    if (wanted === void 0 || name !== void 0 && findContext(name, wanted, request2) !== void 0) continue;
    const reference = findReference(image, wanted, request2);
    if (reference) found.set(index, { reference, platform: wanted });
  }
  return found;
}
function findReference(name, platform, request2) {
  const context = findContext(name, platform, request2);
  if (context === void 0) return orUndefined(() => withDefaultTag(parseReference(name)));
  return context.kind === "image" ? context.reference : void 0;
}
function findContext(name, platform, { buildContexts }) {
  return orUndefined(() => readNamedContexts(buildContexts).find(name, platform)?.context);
}
function orUndefined(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError) return void 0;
    throw error;
  }
}
function describeBase2({ config, platform }, wanted) {
  const { Env, Shell, OnBuild } = config.config ?? {};
  return {
    env: new Map(splitEnv(Env)),
    hasShell: (Shell ?? []).length > 0,
    triggers: OnBuild ?? [],
    platform: parsePlatform(formatPlatform({ ...platform, os: config.os, architecture: config.architecture })),
    wanted
  };
}

// src/build/put.ts
async function putText(url2, text, options2) {
  const http = openHttp(options2);
  try {
    const response = await http.request("PUT", url2, { headers: { "content-type": "text/plain" }, body: Buffer.from(text) });
    await response.discard();
    if (response.status < 200 || response.status > 299)
      throw new Error(`Cannot put digest to "${new URL(url2).host}": it answered ${response.status}`);
  } finally {
    await http.close();
  }
}

// src/build/deliver.ts
async function deliver(release, request2, push, tools) {
  const destinations = request2.destinations.map(withDefaultTag);
  const prepared = await during(
    "writing outputs",
    prepareOutputs(release, request2.outputs, destinations, {
      put: (url2, text) => putText(url2, text, request2.registry),
      signal: tools.signal,
      rootItems: tools.rootItems
    })
  );
  try {
    const pushed = [];
    if (push !== void 0) {
      for (const destination of destinations)
        tools.report.emit({ kind: "notice", text: `Pushing image to ${formatReference(destination)}` });
      for (const { reference, digest } of await during("pushing image", push.finish(release))) {
        tools.report.emit({ kind: "notice", text: `Pushed ${repositoryName(reference)}@${digest}` });
        pushed.push(formatReference(reference));
      }
    }
    return [...pushed, ...await during("writing outputs", prepared.commit())];
  } catch (error) {
    await prepared.discard();
    throw error;
  }
}

// src/build/downloads.ts
async function beginDownloads(plan, tools) {
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const fetching = { ...tools, directory: tools.scratch, signal };
  const { proxies, roots } = tools.registry;
  const files = /* @__PURE__ */ new Map();
  const checkouts = /* @__PURE__ */ new Map();
  const download = ({ url: url2, checksum }) => remember3(files, `${checksum ?? ""} ${url2}`, () => beginDownload(url2, checksum, fetching));
  const checkOut3 = ({ source }) => remember3(
    checkouts,
    JSON.stringify(source),
    () => beginCheckout(source, { ...fetching, proxies, authorities: roots.files, sshAgent: tools.ssh.get("default") })
  );
  const close = async () => {
    stop.abort();
    for (const outcome of await Promise.allSettled([...files.values(), ...checkouts.values()]))
      if (outcome.status === "fulfilled") await Promise.allSettled([outcome.value.finished]);
  };
  const begin = async (operand, source, index) => {
    try {
      if (operand.kind === "url") await download(operand);
      if (operand.kind === "git") await checkOut3(operand);
    } catch (error) {
      fail(error, tools.place(source, { of: "source", index }), tools.signal);
    }
  };
  try {
    const steps = plan.stages.flatMap((stage) => stage.steps);
    await Promise.all(
      steps.flatMap((step) => step.kind === "copy" ? step.sources.map((operand, i) => begin(operand, step.source, i)) : [])
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    download: async (operand) => (await download(operand)).finished,
    checkOut: async (operand) => (await checkOut3(operand)).finished,
    identify: async (operand) => {
      if (operand.kind === "url") return (await (await download(operand)).finished).digest;
      const { commit: commit2 } = await checkOut3(operand);
      const { remote, subdir, submodules, keepGitDir, mtime } = operand.source;
      return JSON.stringify([commit2, subdir ?? "", submodules, keepGitDir ? redactText(remote) : "", mtime]);
    },
    close
  };
}
function remember3(known, key, begin) {
  const begun = known.get(key) ?? begin();
  known.set(key, begun);
  return begun;
}
function fail(error, place, signal) {
  signal.throwIfAborted();
  if (!(error instanceof Error)) throw error;
  throw new BuildFailure(error.message, { place, hint: hintOf(error), cause: error.cause });
}

// src/build/growing.ts
var WholeFiles = class {
  levels;
  top;
  isWhole = true;
  whole;
  #files;
  constructor(files) {
    this.levels = files.levels;
    this.top = files.levels.at(-1)?.layer;
    this.whole = Promise.resolve(files);
    this.#files = files;
  }
  tree() {
    return this.#files.tree();
  }
  digested() {
    return this.#files.tree();
  }
};
var UnwrittenFiles = class {
  levels;
  top = void 0;
  isWhole = false;
  whole;
  #tree;
  #digested;
  constructor(below, { layer, tree, publish }) {
    this.levels = [...below.levels, { layer, tree }];
    this.#tree = tree;
    this.#digested = layer.then(() => tree);
    this.whole = layer.then(async (written) => {
      await publish(written, tree);
      return below.withTree(written, tree);
    });
    for (const promise of [this.#digested, this.whole]) promise.catch(() => {
    });
  }
  async tree() {
    return this.#tree;
  }
  digested() {
    return this.#digested;
  }
};
var StackedFiles = class {
  levels;
  top;
  isWhole = false;
  whole;
  #tree;
  #digested;
  /** `tree` is what the layer makes of those below. */
  constructor(below, layer, tree) {
    this.levels = [...below.levels, { layer, tree }];
    this.top = layer;
    this.#tree = tree;
    this.#digested = below.digested().then(() => tree);
    this.whole = below.whole.then((files) => files.withTree(layer, tree));
    for (const promise of [this.#digested, this.whole]) promise.catch(() => {
    });
  }
  async tree() {
    return this.#tree;
  }
  digested() {
    return this.#digested;
  }
};

// src/build/ignored-paths.ts
async function openIgnored(patterns) {
  const split = patterns.map((pattern) => namesOf2(toRaw(pattern)));
  for (const [i, names2] of split.entries())
    try {
      for (const name of names2) matchGlob(name, "");
    } catch (cause) {
      throw new Error(`Cannot use "--ignore-path=${patterns[i]}": the pattern is malformed`, { cause });
    }
  const wanted = split.filter((globs) => globs.length > 0);
  if (wanted.length === 0) return void 0;
  return (path14) => {
    const names2 = path14.split("/");
    return wanted.some((globs) => globs.length <= names2.length && globs.every((glob, i) => matchGlob(glob, names2[i] ?? "")));
  };
}
function namesOf2(pattern) {
  return pattern.split("/").filter((name) => name !== "" && name !== ".");
}
async function* withoutIgnored(items, ignores) {
  for await (const item of items) {
    const { entry } = item;
    if (ignores(entry.path)) continue;
    if (entry.type === "hardlink" && ignores(entry.link))
      throw new Error(`Cannot leave "/${toText(entry.link)}" out as --ignore-path says: "/${toText(entry.path)}" is a link of it`);
    yield item;
  }
}

// src/build/stage-cache.ts
var StageCache = class {
  #stage;
  #parts;
  /** After the steps so far. */
  #look;
  #keep;
  /** `below` are the keys of the stage that this one is built FROM. */
  constructor(stage, parts, below) {
    this.#stage = stage;
    this.#parts = parts;
    this.#look = below?.same;
    this.#keep = below?.same;
  }
  /** Whether something that is not known from the Dockerfile may lead to a hit at this step. */
  mayLookAhead(i) {
    const step = this.#stage.steps[i];
    if (step === void 0 || this.#parts.policy.isUncached(this.#stage)) return false;
    return takesFromStages(step) || i === 0 && this.#look !== void 0;
  }
  /** The deepest step from number `i` on that is there for files that are the same, however they were made. */
  async lookAhead(i) {
    const { cache, policy, look, keep: keep2 } = this.#parts;
    const reached = [];
    let [lookKey, keepKey] = [this.#look, this.#keep];
    for (const [at3, step] of this.#stage.steps.entries()) {
      if (at3 < i) continue;
      const mark = takesFromStages(step) ? await this.#parts.mark(step) : lookKey === void 0 ? void 0 : look.steps[at3]?.mark;
      if (mark === void 0) break;
      lookKey = stateKey(lookKey ?? before(look, at3), mark);
      keepKey = stateKey(keepKey ?? before(keep2, at3), mark);
      if (isCounted(step, policy)) reached.push({ last: at3, look: lookKey, keep: keepKey });
    }
    const found = await cache.find(reached.map((one3) => one3.look));
    for (const one3 of reached.toReversed()) {
      const chain = found.get(one3.look);
      if (chain === void 0 || !await this.#parts.accepts(chain)) continue;
      [this.#look, this.#keep] = [one3.look, one3.keep];
      cache.keep([keep2.steps[one3.last]?.state ?? ""], chain);
      return { last: one3.last, chain };
    }
    return void 0;
  }
  /** A layer that depends on nothing below it. */
  ownLayer(i) {
    const { layers, policy, look } = this.#parts;
    if (policy.isUncached(this.#stage)) return void 0;
    return layers.get(look.steps[i]?.own ?? "")?.layers.at(-1);
  }
  /** Moves on past a step that was found by the keys of the Dockerfile. */
  skip() {
    this.#look = void 0;
    this.#keep = void 0;
  }
  /** Keeps what a step has come to, unless that is nothing. */
  async advance(i, step, chain) {
    const { cache, policy, look, keep: keep2 } = this.#parts;
    const keys3 = keep2.steps[i];
    const mark = takesFromStages(step) ? await this.#parts.mark(step) : this.#keep === void 0 ? void 0 : keys3?.mark;
    this.#keep = mark === void 0 ? void 0 : stateKey(this.#keep ?? before(keep2, i), mark);
    this.#look = mark === void 0 ? void 0 : stateKey(this.#look ?? before(look, i), mark);
    if (!isCounted(step, policy)) return;
    const states = [keys3?.state, this.#keep].filter((key) => key !== void 0);
    const own2 = keys3?.own;
    cache.keep(states, chain);
    if (own2 !== void 0)
      cache.keep(
        [own2],
        chain.then((known) => known && { layers: known.layers.slice(-1), fidelity: "full" })
      );
  }
  /** After the last step that was done. */
  keys(done) {
    return { made: before(this.#parts.keep, done), same: this.#keep };
  }
};
function before(keys3, i) {
  return keys3.steps[i - 1]?.state ?? keys3.base;
}
function takesFromStages(step) {
  return originsOf(step).some((origin) => origin.kind === "stage");
}

// src/build/stage-files.ts
var StageFiles = class _StageFiles {
  levels;
  #sources;
  #read;
  #tree;
  /** `read` finds out what the layers come to where the last one does not say so. */
  constructor(levels, sources, read) {
    this.levels = levels;
    this.#sources = sources;
    this.#read = read;
  }
  get layers() {
    return this.levels.map(({ layer }) => layer);
  }
  /** The merged tree; reads what it must of the layers the first time. */
  tree() {
    this.#tree ??= this.#read();
    return this.#tree;
  }
  /** With a layer on top. Layers that nobody has looked into yet stay unread. */
  async with(layer, index) {
    if (this.#tree === void 0) return this.#withUnread(layer, index);
    return this.withTree(layer, (await this.#tree).with(index));
  }
  #withUnread(layer, index) {
    return new _StageFiles([...this.levels, { layer }], this.#sources, async () => (await this.tree()).with(index));
  }
  /** With a layer on top that makes `tree` of them. */
  // Apart from the others: closures of one function share what they capture, and the index must not stay in memory.
  withTree(layer, tree) {
    const files = new _StageFiles([...this.levels, { layer, tree }], this.#sources, async () => tree);
    files.#tree = Promise.resolve(tree);
    return files;
  }
  /** Local bytes of files of the tree, all asked for at once. */
  async contents(paths, files) {
    const tree = await this.tree();
    const wanted = /* @__PURE__ */ new Map();
    for (const path14 of paths) {
      const place = tree.locate(path14);
      if (place === void 0) throw new Error(`Cannot read "/${path14}": no layer has its bytes`);
      const group = wanted.get(place.layer);
      if (group === void 0) wanted.set(place.layer, [{ from: place.path, path: path14 }]);
      else group.push({ from: place.path, path: path14 });
    }
    const found = /* @__PURE__ */ new Map();
    for (const [number, group] of wanted) {
      const layer = this.levels[number]?.layer;
      if (layer === void 0) throw new Error(`Cannot read layer ${number}: there are ${this.levels.length}`);
      const located = await files.locate(
        await this.#sources.fetch(layer),
        group.map(({ from }) => from)
      );
      for (const { from, path: path14 } of group) {
        const content = located.get(from);
        if (content !== void 0) found.set(path14, content);
      }
    }
    return found;
  }
};
var StageRoot = class {
  #open;
  #sources;
  #root;
  /** What the layers come to up to each that was put there; those that commands left there are not told. */
  #trees = [];
  #added = 0;
  constructor(open5, sources) {
    this.#open = open5;
    this.#sources = sources;
  }
  /** The root with layers on it that those it holds already are the lowest of. */
  async holding(levels) {
    this.#root ??= this.#open().then((sandbox) => sandbox.openRoot());
    const root = await this.#root;
    const added = [];
    for (const { layer, tree } of levels.slice(this.#added)) {
      const merged = root.add(this.#fetch(layer), tree, levels[this.#added - 1]?.tree);
      this.#trees[this.#added++] = merged;
      added.push(merged);
    }
    await Promise.all(added);
    return root;
  }
  async #fetch(layer) {
    return this.#sources.fetch(await layer);
  }
  /** What layers come to, found while they are put on the root; there may be others above them by now. */
  async unpack(layers) {
    await this.holding(layers.map((layer) => ({ layer })));
    return await this.#trees[layers.length - 1] ?? emptyTree;
  }
  /** The layer of the last run is already in place, or will be. */
  skip() {
    this.#added += 1;
  }
  async close() {
    const root = await this.#root?.catch(() => void 0);
    await root?.close();
  }
};

// src/build/sources.ts
function filesOf(contexts2, origin) {
  const files = contexts2.get(origin.name ?? "");
  if (files === void 0) throw new Error(`Cannot use context "${origin.name}": it was not opened`);
  return files;
}
function openNamedFiles({ buildContexts, stateDir }, tools) {
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const opened = /* @__PURE__ */ new Map();
  const openOnce = (name, source, unpacks) => {
    const key = JSON.stringify([source, unpacks]);
    const files = opened.get(key) ?? openFiles(source, name, { stateDir, unpacks }, { ...tools, signal });
    opened.set(key, files);
    return files;
  };
  return {
    async open(name) {
      const context = readNamedContext(name, buildContexts.get(name) ?? "");
      if (context.kind !== "files") throw new Error(`Cannot use build context "${name}": it is an image`);
      return openOnce(name, context.source, false);
    },
    openSource: (source) => openOnce(describeFiles(source), source, true),
    async close() {
      stop.abort();
      for (const outcome of await Promise.allSettled(opened.values())) if (outcome.status === "fulfilled") await outcome.value.close();
    }
  };
}
async function openContexts(plan, context, named2, place) {
  const users = /* @__PURE__ */ new Map();
  for (const step of plan.stages.flatMap((stage) => stage.steps))
    for (const origin of originsOf(step))
      if (origin.kind === "context" && origin.name !== void 0 && !users.has(origin.name)) users.set(origin.name, step);
  const open5 = async ([name, { kind, source }]) => {
    try {
      return [name, await named2.open(name)];
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AbortError") throw error;
      throw new BuildFailure(error.message, { place: place(source, originPart(kind, name)), hint: hintOf(error), cause: error });
    }
  };
  return new Map([["", context], ...await Promise.all([...users].map(open5))]);
}
function checkSources(plan, contexts2, place) {
  for (const step of plan.stages.flatMap((stage) => stage.steps)) {
    for (const { origin, path: path14, parents, part } of pathsOf(step)) {
      if (origin.kind !== "context") continue;
      const files = filesOf(contexts2, origin);
      try {
        if (parents === void 0) findSource(files, path14);
        else selectSources(files, path14, parents);
      } catch (error) {
        throw new BuildFailure(error instanceof Error ? error.message : String(error), {
          place: place(step.source, part),
          hint: error instanceof SourceNotFound ? sourceHint(error, files) : void 0,
          cause: error
        });
      }
    }
  }
}
function pathsOf(step) {
  if (step.kind === "run")
    return step.mounts.flatMap((mount) => {
      if (mount.kind !== "bind") return [];
      return [{ origin: mount.from, path: mount.source, part: { of: "flag", text: "--mount", inner: toText(mount.source) } }];
    });
  if (step.kind !== "copy") return [];
  const { from, parents } = step;
  return step.sources.flatMap(
    (source, index) => source.kind === "path" ? [{ origin: from, path: source.path, parents, part: { of: "source", index } }] : []
  );
}
function sourceHint(error, files) {
  if (files.isIgnored(error.path)) return `"${toText(error.path)}" is left out of the context by the .dockerignore file`;
  return `check the spelling, and that "${toText(error.path)}" lies in the context ${files.location}`;
}

// src/build/stage-origins.ts
var StageOrigins = class {
  #stage;
  #siblings;
  #tools;
  constructor(stage, siblings, tools) {
    this.#stage = stage;
    this.#siblings = siblings;
    this.#tools = tools;
  }
  /** What the stage starts with. With a hit, of the stages that it is built FROM only the image at their bottom is opened. */
  async base(hit) {
    let origin = this.#stage.base;
    if (hit !== void 0) while (origin.kind === "stage") origin = this.#siblings.plan.stages[origin.stage]?.base ?? { kind: "scratch" };
    const opened = await this.open(origin);
    return "root" in opened ? opened : { ...opened, root: opened.files, made: [], fidelity: "full", keys: void 0 };
  }
  async open(origin) {
    switch (origin.kind) {
      case "scratch":
        return { files: this.filesOf([], () => this.#tools.layers.tree([])), family: "oci" };
      case "stage": {
        const stage = this.#siblings.stages[origin.stage];
        if (stage === void 0) throw new Error(`Cannot use stage ${origin.stage}: it is not built before this one`);
        return stage;
      }
      case "image": {
        const image = await this.#tools.image(origin);
        const isUnpacked = origin === this.#stage.base && this.#siblings.unpacked.has(origin.digest);
        const read = () => isUnpacked ? this.#tools.unpack(image.layers) : this.#tools.layers.tree(image.layers);
        return { files: this.filesOf(image.layers, read), family: image.family };
      }
      case "context":
        throw new Error("Cannot use the build context as an image");
    }
  }
  filesOf(layers, read) {
    return new StageFiles(
      layers.map((layer) => ({ layer })),
      this.#tools.layers,
      read
    );
  }
  async source(origin) {
    if (origin.kind === "context") {
      const files2 = filesOf(this.#tools.contexts, origin);
      return {
        key: `context ${origin.name ?? ""}`,
        view: files2,
        keepsOwners: files2.keepsOwners,
        locate: async () => files2.content,
        xattrs: files2.xattrs
      };
    }
    const { files } = await this.open(origin);
    return {
      key: files.layers.map(({ diffId }) => diffId).join(" "),
      view: await files.tree(),
      keepsOwners: true,
      locate: async (paths) => {
        const contents = await files.contents(paths, this.#tools.files);
        return (path14) => contents.get(path14);
      }
    };
  }
};

// src/build/step-mounts.ts
async function resolveMounts(step, tools) {
  const mounts = /* @__PURE__ */ new Map();
  for (const mount of step.mounts) for (const resolved of await resolveMount(mount, tools)) mounts.set(resolved.target, resolved);
  const variables = step.mounts.flatMap((mount) => mount.kind === "secret" ? variableOf(mount, tools) : []);
  const names2 = new Set(variables.map(([name]) => name));
  const env = step.env.filter((pair) => !names2.has(pair.slice(0, pair.indexOf("="))));
  return {
    mounts: [...mounts.values()],
    env: [...env, ...step.proxies, ...new Map(variables)].map((pair) => typeof pair === "string" ? pair : pair.join("="))
  };
}
async function resolveMount(mount, tools) {
  switch (mount.kind) {
    case "bind": {
      const origin = await tools.open(mount.from);
      const source = { key: `${origin.key}\0${mount.source}`, items: () => listSource(origin, mount.source) };
      return [{ kind: "bind", target: mount.target, source, writable: mount.writable }];
    }
    case "cache":
      return [await resolveCache(mount, tools)];
    case "tmpfs":
      return [mount];
    case "secret": {
      const bytes = secretOf(mount, tools);
      if (bytes === void 0 || mount.target === void 0) return [];
      const { target, mode, uid, gid } = mount;
      return [{ kind: "content", target, mode, uid, gid, bytes, executable: false }];
    }
    case "ssh": {
      const socket = tools.ssh.get(mount.id);
      if (socket === void 0 && mount.required)
        throw new BuildFailure(`no SSH key "${mount.id}" forwarded from the client`, {
          hint: `pass --ssh ${mount.id}`,
          part: partOf(mount)
        });
      const { target, mode, uid, gid } = mount;
      return socket === void 0 ? [] : [{ kind: "agent", target, mode, uid, gid, socket }];
    }
    case "script": {
      const bytes = Buffer.from(mount.text);
      return [{ kind: "content", target: mount.target, mode: 493, uid: 0, gid: 0, bytes, executable: true }];
    }
  }
}
function partOf({ id }) {
  return { of: "flag", text: "--mount", inner: id };
}
function secretOf({ id, required }, { secrets }) {
  const bytes = secrets.get(id);
  if (bytes === void 0 && required)
    throw new BuildFailure(`secret ${id}: not found`, {
      hint: `pass --secret id=${id},src=FILE or --secret id=${id},env=NAME`,
      part: partOf({ id })
    });
  return bytes;
}
function variableOf(mount, tools) {
  if (mount.env === void 0) return [];
  const bytes = secretOf(mount, tools) ?? new Uint8Array();
  if (bytes.includes(0))
    throw new BuildFailure(`Cannot give secret ${mount.id} in a variable: it holds a NUL; mount it as a file`, { part: partOf(mount) });
  return [[mount.env, Buffer.from(bytes).toString("utf8")]];
}
async function resolveCache(mount, tools) {
  const { target, id, sharing, source, owner, writable } = mount;
  const origin = mount.from.kind === "scratch" ? void 0 : await tools.open(mount.from);
  const key = JSON.stringify([id, origin?.key ?? "", owner ?? null]);
  const seed = origin && { key, items: async () => withCache(await listSource(origin, ""), owner) };
  return { kind: "cache", target, key, id, sharing, seed, owner: owner ?? { mode: 493, uid: 0, gid: 0 }, source, writable };
}
function withCache(items, owner) {
  if (owner === void 0 || items.some(({ entry }) => entry.path === "cache")) return items;
  return [...items, { entry: { ...directoryAttributes(owner.mode, owner.uid, owner.gid, 0), path: "cache" } }];
}

// src/build/step-run.ts
var keptLines = 20;
async function runCommand(step, mounts, root, { tree, digested }, tools) {
  const user = findUser(accountsOf(tree), step.user);
  const tail = new Tail(keptLines);
  const show = (stream) => (bytes) => {
    tail.write(bytes);
    tools.report.emit({ kind: "step-output", step: tools.name, stream, bytes });
  };
  const result = await root.run(
    {
      args: step.args,
      env: step.env.some((pair) => pair.startsWith("HOME=")) ? step.env : [...step.env, `HOME=${user.home}`],
      cwd: step.cwd,
      user,
      hostname: "buildkitsandbox",
      network: step.network,
      mounts,
      stdout: show("stdout"),
      stderr: show("stderr")
    },
    digested,
    tools.signal
  );
  if (result.exitCode === 0) return result;
  const command = `process "${step.args.join(" ").trimEnd().replace(/\n.*/s, " \u2026")}" did not complete successfully`;
  throw new BuildFailure(`${command}: exit code: ${result.exitCode}${result.signal === void 0 ? "" : ` (${result.signal})`}`, {
    exitCode: result.exitCode,
    hint: result.hint,
    output: tail.lines()
  });
}
var Tail = class {
  #limit;
  #text = "";
  constructor(limit) {
    this.#limit = limit;
  }
  write(bytes) {
    this.#text += Buffer.from(bytes).toString("latin1");
    if (this.#text.length < 65536) return;
    this.#text = this.#text.split("\n").slice(-this.#limit - 1).join("\n").slice(-32768);
  }
  lines() {
    const text = Buffer.from(this.#text, "latin1").toString("utf8").replace(/\n$/, "");
    return text === "" ? [] : text.split("\n").slice(-this.#limit).map((line) => line.slice(0, 1e3));
  }
};

// src/build/stage-build.ts
var StageBuild = class {
  #stage;
  #siblings;
  #epoch;
  #tools;
  #origins;
  #root;
  /** Settles when nothing is written any more beside the steps. */
  #behind = Promise.resolve();
  /** Everything above the base image. */
  #made = [];
  #fidelity = "full";
  #cache;
  /** Steps before this one are done. */
  #next = 0;
  constructor(stage, siblings, tools) {
    this.#stage = stage;
    this.#siblings = siblings;
    this.#epoch = siblings.plan.epoch;
    this.#tools = tools;
    this.#root = new StageRoot(tools.sandbox, tools.layers);
    this.#origins = new StageOrigins(stage, siblings, { ...tools, unpack: (layers) => this.#unpack(layers) });
  }
  async build() {
    const { report, onLayer } = this.#tools;
    const { steps, name, baseText } = this.#stage;
    const { hit } = this.#siblings;
    const base = await this.#origins.base(hit);
    report.emit({ kind: "stage", stage: name, base: baseText, steps: steps.length + 1 });
    this.#made = base.made;
    this.#fidelity = base.fidelity;
    this.#cache = this.#openCache(base.keys);
    for (const layer of base.root.layers) onLayer(layer);
    try {
      let files = new WholeFiles(hit === void 0 ? base.files : await this.#take(hit, base.root, base.files));
      if (hit !== void 0) this.#cache?.skip();
      while (this.#next < steps.length) {
        this.#tools.signal.throwIfAborted();
        files = await this.#goOn(files, base.root);
      }
      const { family, root } = base;
      const keys3 = this.#cache?.keys(steps.length);
      return { files: await files.whole, root, family, made: this.#made, fidelity: this.#fidelity, keys: keys3 };
    } finally {
      await this.#behind;
      await this.#root.close();
    }
  }
  /** The next step, or as many as the cache has. */
  async #goOn(files, root) {
    const i = this.#next;
    const step = this.#stage.steps[i];
    if (step === void 0) return files;
    const hit = this.#cache?.mayLookAhead(i) ? await this.#cache.lookAhead(i) : void 0;
    if (hit !== void 0) return new WholeFiles(await this.#take(hit, root, await files.whole));
    const own2 = this.#cache?.ownLayer(i);
    const next = own2 === void 0 ? await this.#takeStep(step, i, files) : new WholeFiles(this.#takeLayer(step, i, await files.whole, own2));
    this.#next = i + 1;
    const fidelity = this.#fidelity;
    const kept = this.#made.map((one3) => one3.kept);
    if (this.#cache !== void 0 && !kept.includes(void 0)) {
      const chain = Promise.all(kept).then((known) => {
        const layers = known.filter((layer) => layer !== void 0);
        return layers.length < known.length ? void 0 : { layers, fidelity };
      });
      await this.#cache.advance(i, step, chain);
    }
    return next;
  }
  /** Goes on behind what the cache has; layers of this build that are not among them are dropped. */
  async #take({ last, chain }, root, files) {
    const before2 = files.layers.map(({ diffId }) => diffId);
    for (const [i, step] of this.#stage.steps.entries()) {
      if (i < this.#next || i > last) continue;
      const { layer } = chain.layers[chain.layers.length - 1 - last + i] ?? {};
      this.#tellCached(step, i, layer);
    }
    this.#next = last + 1;
    this.#made = chain.layers.map((one3) => ({ created: one3.created, seconds: one3.seconds, kept: Promise.resolve(one3) }));
    this.#fidelity = chain.fidelity;
    const layers = [...root.layers, ...chain.layers.map(({ layer }) => layer)];
    for (const one3 of chain.layers) this.#tools.onCached(one3);
    if (before2.some((diffId, i) => layers[i]?.diffId !== diffId)) {
      await this.#root.close();
      this.#root = new StageRoot(this.#tools.sandbox, this.#tools.layers);
    }
    const isUnpacked = hasRun(this.#stage, this.#next);
    return this.#origins.filesOf(layers, () => isUnpacked ? this.#unpack(layers) : this.#tools.layers.tree(layers));
  }
  #takeLayer(step, i, files, cached) {
    const { layer, created, seconds } = cached;
    this.#tellCached(step, i, layer);
    this.#made = [...this.#made, { created, seconds, kept: Promise.resolve(cached) }];
    this.#tools.onCached(cached);
    const levels = [...files.levels, { layer }];
    const layers = levels.map((level) => level.layer);
    return new StageFiles(levels, this.#tools.layers, () => this.#tools.layers.tree(layers));
  }
  #tellCached(step, i, layer) {
    const name = this.#nameOf(step, i);
    this.#tools.report.emit({ kind: "step-start", step: name });
    this.#tools.report.emit({ kind: "step-end", step: name, outcome: "cached", ...summaryOf(layer) });
  }
  #openCache(below) {
    const { resumption } = this.#tools;
    const { number } = this.#siblings;
    const [look, keep2] = [resumption?.keys[number], resumption?.kept[number]];
    if (resumption === void 0 || look === void 0 || keep2 === void 0) return void 0;
    return new StageCache(this.#stage, { ...resumption, look, keep: keep2, mark: (step) => this.#markOf(step, resumption) }, below);
  }
  /** Stages by what is taken from them, which is known once they are built. */
  #markOf(step, { identify: identify2, context }) {
    let isKnown = true;
    const mark = fingerprint(
      step,
      async (origin, taken) => {
        if (origin.kind !== "stage") return identifyFiles(origin, taken, { context });
        const { files } = await this.#origins.open(origin);
        const tree = await files.tree();
        const digested = { view: tree, keepsOwners: true, digest: async (path14) => tree.lstat(path14)?.sha256 };
        const digest = await taken(digested);
        isKnown &&= digest !== void 0;
        return `result ${digest}`;
      },
      { identify: identify2 }
    );
    return mark.then((known) => isKnown ? known : void 0);
  }
  async #takeStep(step, i, files) {
    const { report } = this.#tools;
    const name = this.#nameOf(step, i);
    const started = performance.now();
    report.emit({ kind: "step-start", step: name });
    try {
      const next = await (step.kind === "run" ? this.#run(step, files, name, started) : this.#apply(step, files, started));
      if (next.top !== void 0) report.emit({ kind: "step-end", step: name, outcome: "done", ...summaryOf(next.top) });
      return next;
    } catch (error) {
      await this.#behind;
      throw this.#failed(step, name, error);
    }
  }
  /** Notes that a step has failed, unless the build was stopped before. */
  #failed(step, name, error) {
    if (this.#tools.signal.aborted) return error;
    this.#tools.report.emit({ kind: "step-end", step: name, outcome: "failed" });
    return placed(error, this.#tools.place(step.source, error instanceof BuildFailure ? error.part : void 0));
  }
  #nameOf({ source }, i) {
    const [number, total] = [i + 2, this.#stage.steps.length + 1];
    const id = `${this.#stage.name} ${number}/${total}`;
    return { id, stage: this.#stage.name, number, total, text: source.text, line: source.line };
  }
  async #run(step, files, name, started) {
    const root = await this.#root.holding(files.levels);
    const tree = await files.tree();
    const reach = await resolveMounts(step, { ...this.#tools, open: (origin) => this.#origins.source(origin) });
    const digested = files.digested();
    const result = await runCommand({ ...step, env: reach.env }, reach.mounts, root, { tree, digested }, { ...this.#tools, name });
    const below = await files.whole;
    this.#root.skip();
    const sandbox = await this.#tools.sandbox();
    this.#fidelity = lesserFidelity(this.#fidelity, fidelityOf(sandbox.name));
    const mayGoOn = sandbox.stacksLayers && this.#tools.ignores === void 0;
    if (mayGoOn && hasRun(this.#stage, this.#next + 1) && sizeOf3(result.changes) > waitedSize)
      return this.#writeBehind(result, below, { step, name, started });
    const written = await this.#write(result.changes);
    const next = await below.with(written.layer, written.index);
    await result.publish(written.layer, await next.tree());
    return new WholeFiles(this.#finish(next, written, started));
  }
  /** The next command may start: nothing changes any more where the contents of the layer lie. */
  async #writeBehind({ changes, publish }, below, { step, name, started }) {
    const { tree, settle } = (await below.tree()).withUnread(announceItems(changes, { clampMtime: this.#latest }));
    const times2 = timesSince(started);
    const fail3 = (error) => {
      const failure3 = this.#failed(step, name, error);
      this.#tools.fail(failure3);
      throw failure3;
    };
    const written = this.#write(changes).catch(fail3);
    const layer = written.then(({ layer: layer2, index }) => {
      settle(index);
      this.#tools.onLayer(layer2);
      this.#tools.report.emit({ kind: "step-end", step: name, outcome: "done", seconds: times2.seconds, ...summaryOf(layer2) });
      return layer2;
    });
    this.#note(times2, written);
    const files = new UnwrittenFiles(below, { layer, tree, publish: (...known) => publish(...known).catch(fail3) });
    this.#behind = files.whole.catch(() => {
    });
    return files;
  }
  async #apply(step, files, started) {
    const now = this.#epoch ?? Math.floor(Date.now() / 1e3);
    const { file, line } = this.#tools.place(step.source);
    const warn = (rule, text) => {
      if (this.#tools.silenced.has(`${rule} ${line}`)) return;
      this.#tools.report.emit({ kind: "warning", text: `${rule}: ${text}`, file, line });
    };
    const { scratch, downloads: downloads2, signal } = this.#tools;
    const tools = { now, warn, scratch, downloads: downloads2, signal, digested: () => files.digested() };
    const below = step.kind === "copy" && step.link ? emptyTree : await files.tree();
    const items = step.kind === "workdir" ? await blaming({ of: "arguments" }, () => makeWorkdir(step, below, tools)) : await copyFiles(step, below, await this.#origins.source(step.from), tools);
    const written = await this.#write(items);
    if (files.isWhole) return new WholeFiles(this.#finish(await (await files.whole).with(written.layer, written.index), written, started));
    const { layer, index } = written;
    const next = new StackedFiles(files, layer, (await files.tree()).with(index));
    this.#note(timesSince(started), Promise.resolve(written));
    const tell = () => this.#tools.onLayer(layer);
    files.digested().then(tell, () => {
    });
    this.#behind = next.whole.catch(() => {
    });
    return next;
  }
  get #latest() {
    return this.#tools.reproducible ? 0 : this.#tools.rewriteTimestamp ? this.#epoch : void 0;
  }
  #write(items) {
    const { blobs, compression, compressionLevel, helper: helper2, ignores, signal } = this.#tools;
    return writeLayer(ignores === void 0 ? items : withoutIgnored(items, ignores), {
      blobs,
      compression,
      helper: helper2,
      signal,
      level: compressionLevel,
      clampMtime: this.#latest
    });
  }
  /** The files with the step's layer on top, which is now known. */
  #finish(files, written, started) {
    this.#note(timesSince(started), Promise.resolve(written));
    this.#tools.onLayer(written.layer);
    return files;
  }
  #note(times2, written) {
    const cache = this.#tools.resumption?.cache;
    const keep2 = async ({ layer, index, compressor }) => cache && { layer, compressor, ...times2, index: await cache.indexBlob(index) };
    const kept = cache && written.then(keep2, () => void 0);
    kept?.catch(() => {
    });
    this.#made = [...this.#made, { ...times2, kept }];
  }
  /** Layers that a command needs on disk are read once, for their files and for their tree. */
  async #unpack(layers) {
    const sandbox = await this.#tools.sandbox().catch(() => void 0);
    const isWorthIt = sandbox !== void 0 && (sandbox.stacksLayers || hasRun(this.#stage, this.#next));
    return isWorthIt ? this.#root.unpack(layers) : this.#tools.layers.tree(layers);
  }
};
var waitedSize = 1 << 20;
function sizeOf3(items) {
  return items.reduce((sum2, { entry }) => sum2 + entry.size, 0);
}
function timesSince(started) {
  return { created: (/* @__PURE__ */ new Date()).toISOString(), seconds: (performance.now() - started) / 1e3 };
}
function summaryOf(layer) {
  return layer === void 0 ? {} : { layer: { diffId: layer.diffId, digest: layer.descriptor.digest, size: layer.descriptor.size } };
}
function placed(error, place) {
  if (error instanceof BuildFailure) return error.place === void 0 ? new BuildFailure(error.message, { ...error, place }) : error;
  return new BuildFailure(error instanceof Error ? error.message : String(error), { place, hint: hintOf(error), cause: error });
}
function hasRun(stage, from) {
  return stage.steps.slice(from).some(({ kind }) => kind === "run");
}

// src/build/execute.ts
async function execute(plan, tools) {
  const failed = new AbortController();
  const signal = AbortSignal.any([tools.signal, failed.signal]);
  const shipped = new Set(plan.targets.flatMap((target) => [...stagesBelow(plan, target)]));
  const { hits, needed } = tools.resumption ?? allSteps(plan);
  const unpacked = basesBelowRuns(plan, hits);
  const isWhole2 = plan.targets.every(
    (target) => (hits[target]?.last ?? -1) + 1 === plan.stages[target]?.steps.length && hits[target] !== void 0
  );
  const stages = [];
  for (const [number, stage] of plan.stages.entries()) {
    if (!needed.has(number)) {
      stages.push(void 0);
      continue;
    }
    const isPassedOn = shipped.has(number) && !isWhole2;
    const { onLayer, onCached } = isPassedOn ? tools : { onLayer() {
    }, onCached() {
    } };
    const siblings = { plan, number, stages, unpacked, hit: hits[number] };
    const fail3 = (error) => failed.abort(error);
    const building = new StageBuild(stage, siblings, { ...tools, signal, onLayer, onCached, fail: fail3 }).build();
    building.catch(fail3);
    stages.push(building);
  }
  const settled = await Promise.allSettled(stages);
  tools.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return settled.map((outcome) => outcome.status === "fulfilled" ? outcome.value : void 0);
}
function stagesBelow(plan, target) {
  const found = /* @__PURE__ */ new Set();
  for (let at3 = target; at3 !== void 0; ) {
    found.add(at3);
    const base = plan.stages[at3]?.base;
    at3 = base?.kind === "stage" ? base.stage : void 0;
  }
  return found;
}
function basesBelowRuns(plan, hits) {
  const found = /* @__PURE__ */ new Set();
  for (const [number, stage] of plan.stages.entries()) {
    if (!hasRun(stage, (hits[number]?.last ?? -1) + 1)) continue;
    let base = stage.base;
    while (base?.kind === "stage") base = plan.stages[base.stage]?.base;
    if (base?.kind === "image") found.add(base.digest);
  }
  return found;
}

// src/build/join-plans.ts
function joinPlans(plans, besides = []) {
  const stages = [];
  const places = /* @__PURE__ */ new Map();
  const warnings = /* @__PURE__ */ new Map();
  const targets = plans.flatMap(add);
  const others = besides.flatMap(add);
  return { stages, targets, besides: others, epoch: plans[0]?.epoch, warnings: [...warnings.values()] };
  function add(plan) {
    const joined = [];
    const renumber = (origin) => origin.kind === "stage" ? { kind: "stage", stage: joined[origin.stage] ?? origin.stage } : origin;
    for (const stage of plan.stages) {
      const steps = stage.steps.map((step) => renumberStep(step, renumber));
      const renumbered = { ...stage, base: renumber(stage.base), steps };
      const key = JSON.stringify(renumbered);
      const place = places.get(key) ?? stages.push(renumbered) - 1;
      places.set(key, place);
      joined.push(place);
    }
    for (const warning of plan.warnings) warnings.set(JSON.stringify(warning), warning);
    return plan.targets.map((target) => joined[target] ?? target);
  }
}

// src/build/layers.ts
function openLayers(tools) {
  const { cache, signal } = tools;
  const fetched = /* @__PURE__ */ new Map();
  const trees = /* @__PURE__ */ new Map();
  const fetch = (layer) => remember4(fetched, layer.descriptor.digest, () => layer.file === void 0 ? fetchFile(layer) : Promise.resolve(layer));
  const fetchFile = async (layer) => {
    const file = await tools.folder?.find(layer.descriptor, signal);
    if (file !== void 0) return { ...layer, file };
    try {
      return await tools.registry.fetch(layer, tools.blobs, signal);
    } catch (error) {
      if (!signal.aborted) cache?.blame(layer, error);
      throw error;
    }
  };
  const readIndex = async (layer) => {
    const known = await cache?.findIndex(layer);
    if (known !== void 0) return known;
    const read = await indexLayer(await fetch(layer), { signal, helper: tools.helper });
    const kept = cache?.indexes.begin(read.diffId);
    for (const entry of kept === void 0 ? [] : read.entries) kept?.add(entry);
    kept?.end();
    return read;
  };
  const merge2 = async (top, below) => {
    const [lower, read] = await Promise.all([below, readIndex(top)]);
    return lower.with(read);
  };
  const tree = (layers) => {
    const top = layers.at(-1);
    if (top === void 0) return Promise.resolve(emptyTree);
    const chain = layers.map(({ diffId }) => diffId).join(" ");
    return remember4(trees, chain, () => merge2(top, tree(layers.slice(0, -1))));
  };
  return { fetch, tree };
}
function remember4(known, key, make) {
  const before2 = known.get(key);
  if (before2 !== void 0) return before2;
  const made = make();
  made.catch(() => {
  });
  known.set(key, made);
  return made;
}

// src/build/root-items.ts
async function* rootItems(stage, files, prefix) {
  const tree = await stage.tree();
  const filled = [...tree.walk()].flatMap(({ path: path14, node }) => node.attributes.type === "file" && node.attributes.size > 0 ? [path14] : []);
  const contents = await stage.contents(filled, files);
  const first = /* @__PURE__ */ new Map();
  if (prefix !== "") yield { entry: { ...tree.lstat("")?.attributes ?? fail2(prefix), path: prefix } };
  for (const { path: path14, node } of tree.walk()) {
    if (path14 === "") continue;
    const placed2 = prefix === "" ? path14 : `${prefix}/${path14}`;
    const { attributes, inode } = node;
    const link3 = inode === void 0 || attributes.type !== "file" ? void 0 : first.get(inode);
    if (link3 !== void 0) {
      yield { entry: { ...attributes, type: "hardlink", size: 0, link: link3, path: placed2 } };
      continue;
    }
    if (inode !== void 0) first.set(inode, placed2);
    const entry = makeEntry(placed2, attributes, attributes.xattrs);
    const content = contents.get(path14);
    yield content === void 0 ? { entry } : { entry, content };
  }
}
function fail2(prefix) {
  throw new Error(`Cannot write "${prefix}": the image has no root`);
}

// src/build/shipping.ts
function openShipping(tools) {
  const { cache, layers, compression } = tools;
  const level = checkLevel(compression, tools.compressionLevel);
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const made = /* @__PURE__ */ new Map();
  let compressing = Promise.resolve();
  const named2 = new RegExp(`-${level}(?:-|$)`);
  const fits = ({ layer, compressor }) => layer.compression === compression && named2.test(compressor);
  function fit(cached) {
    const { diffId } = cached.layer;
    const known = made.get(diffId);
    if (known !== void 0) return known;
    const form = findOrMake(cached);
    form.catch(() => {
    });
    made.set(diffId, form);
    return form;
  }
  async function findOrMake(cached) {
    const { diffId } = cached.layer;
    const key = keyOf("variant", [diffId, compression, `${level}`]);
    const found = (await cache?.find([key]))?.get(key)?.layers[0];
    if (found !== void 0 && fits(found) && found.layer.diffId === diffId) return found;
    const local = await layers.fetch(cached.layer);
    const turn = compressing.then(() => recompress(local));
    compressing = turn.catch(() => {
    });
    const form = await turn;
    cache?.keep([key], { layers: [{ ...cached, ...form }], fidelity: "full" });
    return form;
  }
  async function recompress(layer) {
    signal.throwIfAborted();
    try {
      return await recompressLayer(layer, { ...tools, level, signal });
    } catch (error) {
      const isFault = error instanceof MalformedLayerError || error instanceof DigestMismatchError;
      if (isFault && !signal.aborted) cache?.blame(layer, error);
      throw error;
    }
  }
  const ship = async (cached) => fits(cached) ? cached.layer : (await fit(cached)).layer;
  return {
    layer: ship,
    async stage(stage) {
      if (stage === void 0) return [];
      const { files, made: made2 } = stage;
      const below = files.layers.length - made2.length;
      return Promise.all(
        files.layers.map(async (layer, i) => {
          const cached = await made2[i - below]?.kept;
          return cached === void 0 ? layer : ship(cached);
        })
      );
    },
    async kept(cached) {
      const form = fits(cached) ? void 0 : await made.get(cached.layer.diffId);
      return form === void 0 ? cached : { ...cached, layer: form.layer, compressor: form.compressor };
    },
    async close() {
      stop.abort();
      await compressing;
    }
  };
}

// src/build/show.ts
function showPlan(plan) {
  const blocks = plan.stages.map((stage, number) => showStage(stage, plan, plan.targets.includes(number)));
  const epoch = plan.epoch === void 0 ? [] : [`SOURCE_DATE_EPOCH ${plan.epoch}`];
  return `${[...epoch, ...blocks].join("\n\n")}
`;
}
function showStage(stage, plan, isTarget) {
  const head = `STAGE ${stage.index} ${stage.name}${isTarget ? " (target)" : ""} ${formatPlatform(stage.platform)}${stage.isUncached ? " uncached" : ""}`;
  const own2 = (stage.config.history ?? []).slice(stage.inheritedHistory);
  const lines = [`FROM ${showOrigin(stage.base, plan)}`, ...stage.steps.flatMap((step) => showStep(step, plan))];
  const config = Object.entries(stage.config.config ?? {}).sort(([a], [b]) => a < b ? -1 : 1).map(([key, value]) => `CONFIG ${key} ${JSON.stringify(value)}`);
  const history = own2.map((line) => `HISTORY ${line.empty_layer ? "-" : "+"} ${line.created_by ?? ""}`);
  return [head, ...[...lines, ...config, ...history].map((line) => `  ${line}`)].join("\n");
}
function showStep(step, plan) {
  const at3 = `line ${step.source.line}`;
  switch (step.kind) {
    case "run":
      return [
        `RUN ${quoteList(step.args)} in ${step.cwd}${step.user === "" ? "" : ` as ${step.user}`} ${at3}`,
        ...step.network === "default" ? [] : [`  NETWORK ${step.network}`],
        ...[...step.env, ...step.proxies].map((pair) => `  ENV ${pair}`),
        ...step.mounts.map((mount) => `  MOUNT ${showMount(mount, plan)}`)
      ];
    case "workdir":
      return [`MKDIR /${toText(step.path)}${step.user === "" ? "" : ` as ${step.user}`} ${at3}`];
    case "copy":
      return [showCopy(step, plan, at3)];
  }
}
function showMount(mount, plan) {
  const owner = (given2) => given2 === void 0 ? "" : ` mode=${given2.mode.toString(8).padStart(4, "0")} uid=${given2.uid} gid=${given2.gid}`;
  const required = "required" in mount && mount.required ? " required" : "";
  const access2 = "writable" in mount ? ` ${mount.writable ? "rw" : "ro"}` : "";
  switch (mount.kind) {
    case "bind":
      return `bind ${showOrigin(mount.from, plan)} /${toText(mount.source)} to ${mount.target}${access2}`;
    case "cache": {
      const seed = mount.from.kind === "scratch" ? "" : ` from ${showOrigin(mount.from, plan)}`;
      const part = mount.source === "" ? "" : ` /${toText(mount.source)}`;
      return `cache ${JSON.stringify(mount.id)}${seed}${part} to ${mount.target} ${mount.sharing}${owner(mount.owner)}${access2}`;
    }
    case "tmpfs":
      return `tmpfs to ${mount.target}${mount.size === 0 ? "" : ` size=${mount.size}`}${access2}`;
    case "secret": {
      const places = [mount.target === void 0 ? "" : ` to ${mount.target}`, mount.env === void 0 ? "" : ` as $${mount.env}`];
      return `secret ${JSON.stringify(mount.id)}${places.join("")}${mount.target === void 0 ? "" : owner(mount)}${required}`;
    }
    case "ssh":
      return `ssh ${JSON.stringify(mount.id)} to ${mount.target}${owner(mount)}${required}`;
    case "script":
      return `script to ${mount.target} ${JSON.stringify(mount.text)}`;
  }
}
function showCopy(step, plan, at3) {
  const sources = step.sources.map(showOperand);
  const options2 = [
    step.chown === void 0 ? "" : ` chown=${step.chown}`,
    step.chmod === void 0 ? "" : ` chmod=${formatMode(step.chmod)}`,
    step.sources.some((source) => "unpack" in source && source.unpack) ? " unpack" : "",
    ...step.sources.map((source) => source.kind === "url" && source.checksum !== void 0 ? ` checksum=${source.checksum}` : ""),
    step.parents ? " parents" : "",
    step.link ? " link" : "",
    ...step.exclude.map((pattern) => ` exclude=${toText(pattern)}`)
  ].join("");
  return `COPY ${quoteList(sources)} from ${showOrigin(step.from, plan)} to /${toText(step.destination).replace(/^\//, "")}${options2} ${at3}`;
}
function showGit({ remote, ref, subdir, checksum, submodules, keepGitDir, mtime, fetchByCommit }) {
  const query = [
    ref === void 0 ? "" : `ref=${ref}`,
    subdir === void 0 ? "" : `subdir=${subdir}`,
    checksum === void 0 ? "" : `checksum=${checksum}`,
    submodules ? "" : "submodules=false",
    keepGitDir ? "keep-git-dir=true" : "",
    mtime === "checkout" ? "" : `mtime=${mtime}`,
    fetchByCommit ? "fetch-by-commit=true" : ""
  ].filter((part) => part !== "");
  return query.length === 0 ? remote : `${remote}?${query.join("&")}`;
}
function showOperand(operand) {
  if (operand.kind === "path") return toText(operand.path);
  if (operand.kind === "url") return operand.url;
  return operand.kind === "git" ? showGit(operand.source) : `<<${toText(operand.name)}`;
}
function showOrigin(origin, plan) {
  switch (origin.kind) {
    case "image":
      return `${formatImageName({ ...origin.reference, digest: origin.digest })}`;
    case "stage":
      return `stage ${plan.stages[origin.stage]?.index}`;
    case "context":
      return origin.name === void 0 ? "context" : `context "${origin.name}"`;
    case "scratch":
      return "scratch";
  }
}

// src/build/summary.ts
function summarize(image, stage, written) {
  const made = stage?.made ?? [];
  const { layers, config } = image.image;
  const inherited = layers.length - made.length;
  const lines = (config.history ?? []).filter((line) => !line.empty_layer);
  return {
    layers: layers.map((layer, i) => {
      const seconds = made[i - inherited]?.seconds;
      return {
        size: layer.descriptor.size,
        createdBy: lines[i]?.created_by ?? "",
        inherited: i < inherited,
        ...seconds === void 0 ? {} : { seconds }
      };
    }),
    digest: image.manifest.descriptor.digest,
    configDigest: image.config.descriptor.digest,
    written
  };
}

// src/build/doctor.ts
var { statfs } = process.getBuiltinModule("node:fs/promises");
var fileSystems = {
  61267: "ext4",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs",
  2035054128: "overlayfs",
  26985: "nfs",
  1702057286: "fuse",
  16914839: "9p",
  801189825: "zfs",
  4076150800: "f2fs"
};
async function diagnose(request2) {
  const { stateDir } = request2;
  await makeStateDirectory(stateDir);
  const { type, bavail, bsize } = await statfs(stateDir);
  const place = { fileSystem: fileSystems[type] ?? `0x${type.toString(16)}`, freeBytes: bavail * bsize };
  const helper2 = await openHelper().catch((error) => error);
  if (helper2 === void 0 || helper2 instanceof Error) {
    const problem = helper2?.message ?? `there is no helper program for ${process.platform}/${process.arch}`;
    return { helper: { problem }, ...place, sandboxes: [] };
  }
  return { helper: { path: helper2.path }, ...place, sandboxes: await surveySandboxes({ ...request2, helper: helper2 }) };
}

// src/build/merge.ts
async function mergeImages(request2, tools) {
  const registry = openRegistry(request2.registry, tools);
  const destinations = request2.destinations.map(withDefaultTag);
  try {
    const images = await during(
      "building image",
      Promise.all(request2.sources.map((source) => registry.resolve(withDefaultTag(source), hostPlatform(), tools.signal)))
    );
    checkPlatforms(images);
    await during("checking push permissions", registry.checkPush(destinations, tools.signal));
    checkAnnotations(request2.annotations, images);
    const isDocker = request2.annotations.length === 0 && images.every((image) => image.family === "docker");
    const release = encodeIndex(
      images.map((image) => describeImage(image, request2.annotations)),
      isDocker ? "docker" : "oci",
      annotationsOfIndex(request2.annotations)
    );
    const push = registry.openPush(destinations, tools.signal);
    try {
      const delivery = { destinations, outputs: request2.outputs, registry: request2.registry };
      const written = await deliver(release, delivery, push, { ...tools, rootItems: noItems });
      return { digest: release.top.descriptor.digest, written };
    } catch (error) {
      await push.abort();
      throw error;
    }
  } finally {
    await registry.close();
  }
}
async function* noItems() {
}
function describeImage(image, annotations2) {
  const { config, manifest } = image.documents;
  const descriptor = annotate(manifest.descriptor, annotationsOfImage(annotations2, image.platform).descriptor);
  return { image, config, manifest: { ...manifest, descriptor } };
}
function checkAnnotations(annotations2, images) {
  const platforms = images.map((image) => formatPlatform(image.platform));
  const lost = annotations2.find(({ platform }) => platform !== void 0 && !platforms.includes(formatPlatform(platform)));
  if (lost?.platform === void 0) return;
  throw new BuildFailure(`Cannot annotate "${formatPlatform(lost.platform)}": the images are for ${platforms.join(", ")}`);
}
function checkPlatforms(images) {
  const taken = /* @__PURE__ */ new Map();
  for (const image of images) {
    const name = formatReference(image.reference);
    if (image.digest !== image.manifestDigest)
      throw new BuildFailure(`Cannot merge "${name}": it is an index already`, { hint: "name the images in it by their digests" });
    const platform = formatPlatform(image.platform);
    const other = taken.get(platform);
    if (other !== void 0)
      throw new BuildFailure(`Cannot merge "${name}" with "${formatReference(other.reference)}": both are for ${platform}`);
    taken.set(platform, image);
  }
}

// src/build/prune.ts
async function prune(request2, tools) {
  const registry = openRegistry(request2.registry, tools);
  try {
    const pruned = [];
    const attempt = (work) => work.catch((error) => {
      tools.signal.throwIfAborted();
      if (!(error instanceof Error)) throw error;
      return new BuildFailure(error.message, { phase: "pruning cache", hint: hintOf(error), cause: error });
    });
    for (const one3 of request2.stores) {
      const store2 = openStore(one3, request2.scope, { ...tools, registry });
      pruned.push({ store: store2.name, outcome: await attempt(store2.prune(request2.limits, tools.signal)) });
    }
    const { stateDir } = request2;
    if (stateDir !== void 0)
      pruned.push({ store: `caches in ${stateDir}`, outcome: await attempt(pruneState(stateDir, request2, tools)) });
    return pruned;
  } finally {
    await registry.close();
  }
}
async function pruneState(stateDir, { limits }, { signal }) {
  const helper2 = await openHelper();
  if (helper2 === void 0) throw new Error(`Cannot prune the caches in "${stateDir}": there is no helper program for this processor`);
  return pruneCaches(stateDir, limits, { helper: helper2, signal });
}

// src/build/warm.ts
var { mkdir: mkdir10, mkdtemp } = process.getBuiltinModule("node:fs/promises");
var { join: join11 } = process.getBuiltinModule("node:path");
async function warm(request2, tools) {
  const registry = openRegistry(request2.registry, tools);
  try {
    await during(phase, makeDirectory2(request2.directory));
    const wanted = await during(phase, findWanted(request2, registry, tools));
    const folder = openBaseFolder(request2.directory, { ...request2, ...tools });
    return await Promise.all(
      wanted.map(async ({ reference, platform }) => {
        const image = formatReference(reference);
        try {
          return { image, outcome: await keep(reference, platform, { folder, registry, force: request2.force, signal: tools.signal }) };
        } catch (error) {
          tools.signal.throwIfAborted();
          if (!(error instanceof Error)) throw error;
          return { image, outcome: new BuildFailure(error.message, { phase, hint: hintOf(error), cause: error }) };
        }
      })
    );
  } finally {
    await registry.close();
  }
}
var phase = "warming cache";
async function keep(reference, platform, tools) {
  const { folder, registry, signal } = tools;
  const image = await registry.resolve(reference, platform, signal);
  const isNew = await folder.keep(image, { ...tools, fetch: registry.fetch });
  return { digest: image.manifestDigest, isNew };
}
async function findWanted(request2, registry, { signal }) {
  const named2 = request2.images.map((reference) => ({ reference, platform: request2.platform }));
  const found = request2.dockerfile === void 0 ? [] : await readBases(request2.dockerfile, request2, registry, signal);
  const keyOf2 = ({ reference, platform }) => JSON.stringify([formatReference(reference), platform]);
  const all = [...named2, ...found].map((one3) => ({ ...one3, reference: withDefaultTag(one3.reference) }));
  return [...new Map(all.map((one3) => [keyOf2(one3), one3])).values()];
}
async function readBases(name, request2, registry, signal) {
  const makeDirectory3 = () => mkdtemp(join11(request2.directory, ".warming-"));
  const { text, path: path14 } = await openDockerfile(name, request2.workingDirectory, {
    http: registry.http,
    secrets: /* @__PURE__ */ new Map(),
    signal,
    makeDirectory: makeDirectory3
  });
  try {
    const dockerfile = parseDockerfile(text, path14);
    const globals = evaluateGlobals(dockerfile, { ...request2, target: void 0 });
    const variables = { get: (key) => globals.get(key), escape: dockerfile.escape };
    return dockerfile.stages.flatMap(({ from, index }) => {
      const image = expandWord(from.image, variables);
      if (image === "scratch" || findBaseStage(dockerfile.stages, index, image) !== void 0) return [];
      const platform = from.platform === void 0 ? "" : expandWord(from.platform, variables);
      return [{ reference: parseReference(image), platform: platform === "" ? request2.platform : parsePlatform(platform) }];
    });
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    throw new BuildFailure(error.message, { phase, cause: error });
  }
}
async function makeDirectory2(directory) {
  try {
    await mkdir10(directory, { recursive: true });
  } catch (cause) {
    throw new Error(`Cannot make "${directory}": ${cause instanceof Error ? cause.message : cause}; give another with --cache-dir`, {
      cause
    });
  }
}

// src/build/build.ts
var { randomUUID: randomUUID13 } = process.getBuiltinModule("node:crypto");
var { isAbsolute, join: join12, relative: relative2 } = process.getBuiltinModule("node:path");
async function build(request2, tools) {
  for (const secret of secretsOf2(request2)) tools.report.mask(secret);
  for (const text of request2.notices) tools.report.emit({ kind: "notice", text });
  const agents = await during("building image", openAgents(request2));
  const registry = openRegistry(request2.registry, tools);
  try {
    return await buildWith(registry, request2, { ...tools, ssh: agents.sockets });
  } finally {
    await registry.close();
    await agents.close();
  }
}
async function buildWith(registry, request2, tools) {
  const { report, signal } = tools;
  const fetching = fetchTools(request2, registry, tools);
  const context = await during("building image", openContext2(request2.context, contextOptions(request2), fetching));
  const named2 = openNamedFiles(request2, fetching);
  const cache = request2.cache && openBuildCache(request2.cache, { ...request2, ...tools, registry });
  let permission2 = Promise.resolve(void 0);
  try {
    const { path: path14, text: source } = context.dockerfile;
    if (context.commit !== void 0) report.emit({ kind: "notice", text: `Context ${context.location} is at commit ${context.commit}` });
    if (context.stateDir !== void 0)
      report.emit({ kind: "notice", text: `The state directory "${request2.stateDir}" lies in the context and is no part of it` });
    const file = displayPath(path14, request2.workingDirectory);
    const place = placesIn(file, source);
    const last = request2.dryRun || request2.checkOnly ? Promise.resolve() : cache?.findLast(lastKey(request2)) ?? Promise.resolve();
    const folder = request2.baseFolder && openBaseFolder(request2.baseFolder.directory, { ...request2.baseFolder, report });
    const bases = openBases(registry, { signal, cache, folder });
    const emulators = await findEmulators();
    const [target, ...others] = request2.targets;
    const requestsFor = (name) => request2.platforms.map((platform) => ({ ...request2, target: name, platform, emulators }));
    if (request2.checkOnly) {
      const requests = [...requestsFor(target), ...others.flatMap(requestsFor)];
      const checked3 = Promise.all(requests.map((one3) => checkOnly(file, one3, context, bases, report)));
      return { written: [], checked: joinChecked(await during("building image", checked3)) };
    }
    const planned = [requestsFor(target), others.flatMap(requestsFor)].map(
      (group) => Promise.all(group.map((one3) => planBuild(one3, { context, named: named2, bases, place })))
    );
    permission2 = askPermission(registry, request2, signal);
    const [wanted = [], besides = []] = await during("building image", Promise.all(planned));
    const plan = joinPlans(
      wanted.map((one3) => one3.plan),
      besides.map((one3) => one3.plan)
    );
    for (const { text, line } of plan.warnings) report.emit({ kind: "warning", text, ...line === void 0 ? {} : { line, file } });
    const checked2 = joinChecked([...wanted, ...besides].map((one3) => one3.checked));
    reportChecked(checked2, report);
    if (request2.dryRun) return { written: [], plan: showPlan(plan) };
    const contexts2 = await during("building image", openContexts(plan, context, named2, place));
    checkSources(plan, contexts2, place);
    await during("building image", checkCompression(request2.compression, request2.compressionLevel));
    await during("writing outputs", checkOutputs(request2.outputs));
    const refusal = await permission2;
    if (refusal !== void 0) await during("checking push permissions", Promise.reject(refusal.reason));
    return await carryOut(plan, { contexts: contexts2, bases, place, registry, folder, cache, last, silenced: checked2.silenced }, request2, tools);
  } finally {
    await permission2;
    await cache?.close();
    await named2.close();
    await context.close();
  }
}
async function askPermission(registry, request2, signal) {
  if (!request2.push || !request2.checkPushPermission || request2.dryRun) return void 0;
  return registry.checkPush(request2.destinations.map(withDefaultTag), signal).then(
    () => void 0,
    (reason) => ({ reason })
  );
}
async function planBuild(request2, sources) {
  const { context, bases, place } = sources;
  const known = /* @__PURE__ */ new Map();
  const find = async ({ reference, platform, source, part, hint }) => {
    try {
      known.set(baseKey(reference, platform), await bases.base(reference, platform));
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AbortError") throw error;
      throw new BuildFailure(error.message, { place: place(source, part), hint: hint ?? hintOf(error), cause: error });
    }
  };
  try {
    const dockerfile = parseDockerfile(context.dockerfile.text, displayPath(context.dockerfile.path, request2.workingDirectory));
    const epoch = findEpochSource(dockerfile, request2);
    const settled = epoch === void 0 ? request2 : { ...request2, epoch: { seconds: await resolveEpoch(epoch, dockerfile, sources) } };
    for (; ; ) {
      const made = makePlan(dockerfile, known, settled);
      if ("plan" in made) return { plan: made.plan, checked: checkBeforeBuild(dockerfile, known, settled, context) };
      await Promise.all(made.wanted.map(find));
    }
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const { start, end } = error.instruction;
    const lines = place({ line: start.line, endLine: end.line });
    throw new BuildFailure(error.reason, { place: { ...lines, exact: error.range }, hint: error.hint, cause: error.cause });
  }
}
function displayPath(path14, workingDirectory) {
  if (!isAbsolute(path14)) return path14;
  const short = relative2(workingDirectory, path14);
  return short.startsWith("..") ? path14 : short;
}
async function carryOut(plan, parts, request2, tools) {
  const { registry, bases, cache } = parts;
  const { report, signal, ssh } = tools;
  const { stateDir } = request2;
  const push = request2.push ? registry.openPush(request2.destinations.map(withDefaultTag), signal) : void 0;
  const opened = [];
  let downloads2;
  let keeper;
  let shipping;
  const scratch = join12(stateDir, "work", randomUUID13());
  try {
    await during("building image", makeStateDirectory(stateDir));
    const helper2 = await during("building image", openHelper());
    const shown = withXattrs(parts.contexts, { helper: helper2, signal });
    const blobs = await during("building image", openBlobs(stateDir));
    const files = openLayerFiles(scratch);
    const fresh = freshCaches(plan);
    const openOnce = () => {
      const sandbox = opened[0] ?? openSandbox(request2.sandbox, {
        ...request2,
        keeps: directoriesOf(request2.cache),
        freshCaches: fresh,
        blobs,
        files,
        helper: helper2,
        report,
        ignores,
        indexes: cache?.indexes,
        keeper
      });
      opened[0] = sandbox;
      return sandbox;
    };
    downloads2 = await beginDownloads(plan, { ...request2, ...parts, ssh, http: registry.http, registry: request2.registry, scratch, signal });
    const ignores = await during("building image", openIgnored(request2.ignoredPaths));
    const executeTools = {
      ...tools,
      ...request2,
      ...parts,
      ssh,
      downloads: downloads2,
      blobs,
      files,
      scratch,
      helper: helper2,
      ignores,
      image: (origin) => bases.image(origin.reference, origin.platform),
      sandbox: openOnce,
      // What goes wrong is thrown again by `finish`.
      onLayer: (layer) => void push?.layer(layer).catch(() => {
      })
    };
    const cached = request2.cache && cache && { request: request2.cache, cache, last: parts.last };
    if (cached?.request.mounts) keeper = openKeeper(cached.cache, { ...executeTools, maxBytes: cached.request.mountsLimit });
    const attempt = async () => {
      const settled = settleContexts(shown);
      const looking = cached && { ...executeTools, ...cached, contexts: settled };
      if (looking?.request.explainOnly) return { written: [], explained: await during("building image", explain(plan, looking)) };
      const resumption = looking && await during("building image", resume(plan, looking));
      const contexts2 = cached === void 0 ? shown : settled;
      const layers = openLayers({ ...parts, blobs, helper: helper2, signal });
      await shipping?.close();
      const ship = openShipping({ ...executeTools, cache, layers });
      shipping = ship;
      const onCached = (one3) => void ship.layer(one3).then(executeTools.onLayer, () => {
      });
      const stages = await execute(plan, { ...executeTools, contexts: contexts2, layers, resumption, onCached });
      const shipped = await during("building image", Promise.all(plan.targets.map((target) => ship.stage(stages[target]))));
      if (cached !== void 0 && resumption !== void 0)
        await leaveLast(plan, stages, { ...cached, request: request2, resumption, shipping: ship });
      const imageFormat = needsOciTypes(request2.annotations) ? "oci" : request2.imageFormat;
      const images = [];
      for (const [i, platform] of request2.platforms.entries()) {
        const target = plan.targets[i];
        if (target === void 0) continue;
        const now = await timeOf(stages[target], cache);
        const image = assembleImage(plan, stages, target, { ...request2, imageFormat, now, layers: shipped[i] ?? [] });
        images.push(encodeImage(image, annotationsOfImage(request2.annotations, platform)));
      }
      const release = encodeRelease(images, annotationsOfIndex(request2.annotations));
      const rootItemsOfAll = async function* () {
        for (const target of plan.targets) {
          const [stage, platform] = [stages[target], plan.stages[target]?.platform];
          if (stage === void 0 || platform === void 0) continue;
          const prefix = images.length === 1 ? "" : formatPlatform(platform).replaceAll("/", "_");
          yield* rootItems(stage.files, files, prefix);
        }
      };
      const written = await deliver(release, request2, push, { ...tools, rootItems: rootItemsOfAll });
      for (const [i, image] of images.entries()) {
        const isLast = i === images.length - 1;
        report.emit({ kind: "result", result: summarize(image, stages[plan.targets[i] ?? 0], isLast ? written : []) });
      }
      const { digest } = release.top.descriptor;
      if (images.length > 1) report.emit({ kind: "notice", text: `Index of ${images.length} images: ${digest}` });
      const [only, ...others] = images;
      return { digest, written, ...only === void 0 || others.length > 0 ? {} : { imageId: only.config.descriptor.digest } };
    };
    return await retrying(cache, attempt, signal);
  } catch (error) {
    await push?.abort();
    throw error;
  } finally {
    await shipping?.close();
    await downloads2?.close();
    for (const sandbox of await Promise.allSettled(opened))
      if (sandbox.status === "fulfilled" && !signal.aborted) await sandbox.value.saveCaches(signal).catch(() => {
      });
    await cache?.close();
    for (const sandbox of await Promise.allSettled(opened)) if (sandbox.status === "fulfilled") await sandbox.value.close();
    await removeTree(request2.stateIsPrivate ? stateDir : scratch);
  }
}
function directoriesOf(cache) {
  return (cache?.stores ?? []).flatMap((store2) => "path" in store2 ? [store2.path] : []);
}
export {
  BuildFailure,
  build,
  diagnose,
  mergeImages,
  prune,
  warm
};
