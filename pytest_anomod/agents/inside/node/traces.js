// Spans of what the service serves and calls, and the ids of traces of what it prints, over OTLP.
"use strict";
const fs = require("node:fs");
const nodeModule = require("node:module");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

/** A lean set; what is called by HTTP or is a store beneath others' libraries is seen by these. */
const INSTRUMENTATIONS = {
  http: "HttpInstrumentation", undici: "UndiciInstrumentation", express: "ExpressInstrumentation",
  koa: "KoaInstrumentation", hapi: "HapiInstrumentation", "nestjs-core": "NestInstrumentation",
  grpc: "GrpcInstrumentation", pg: "PgInstrumentation", mysql2: "MySQL2Instrumentation",
  mongodb: "MongoDBInstrumentation", ioredis: "IORedisInstrumentation", redis: "RedisInstrumentation",
  amqplib: "AmqplibInstrumentation", kafkajs: "KafkaJsInstrumentation", pino: "PinoInstrumentation",
}; // prettier-ignore
const SETTINGS = {
  pino: { disableLogCorrelation: true }, // what is printed stays as it is
  undici: { requestHook: (_, request) => dropContext(request) },
};
const HOOKED_MODULES = [
  "http", "https", "node:http", "node:https", "express", "koa", "@koa/router", "@hapi/hapi", "@nestjs/core",
  "@grpc/grpc-js", "pg", "pg-pool", "mysql2", "mongodb", "ioredis", "redis", "@redis/client", "amqplib", "kafkajs", "pino",
]; // prettier-ignore
const OWN_SDK = /^@opentelemetry\/(?:sdk-|auto-instrumentations)/;

/** Begin; an error for a service that has OpenTelemetry of its own, which keeps its exporter. */
function start(library, env) {
  const program = process.argv[1] ? path.resolve(process.argv[1]) : path.resolve("-");
  const own = ownSdk(nearestPackage(program), env);
  if (own) throw new Error(`it has OpenTelemetry of its own (${own}), which stays`);
  const from = (name) => require(path.join(library, "@opentelemetry", name));
  const kind = env.OTEL_EXPORTER_OTLP_PROTOCOL === "http/json" ? "http" : "proto";
  const { NodeTracerProvider, BatchSpanProcessor } = from("sdk-trace-node");
  const { detectResources, defaultResource, envDetector, hostDetector, processDetector } = from("resources");
  const resource = defaultResource().merge(detectResources({ detectors: [processDetector, hostDetector, envDetector] }));
  const { OTLPTraceExporter } = from(`exporter-trace-otlp-${kind}`);
  const provider = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
  provider.register();
  const scheduledDelayMillis = Number(env.OTEL_BLRP_SCHEDULE_DELAY) || 250;
  const { OTLPLogExporter } = from(`exporter-logs-otlp-${kind}`);
  const { LoggerProvider, BatchLogRecordProcessor } = from("sdk-logs");
  const records = new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(), scheduledDelayMillis });
  const loggers = new LoggerProvider({ resource, processors: [records] });
  const instrumentations = Object.entries(INSTRUMENTATIONS).map(
    ([name, kindOf]) => new (from(`instrumentation-${name}`)[kindOf])(SETTINGS[name] || {}),
  );
  const providers = { tracerProvider: provider, loggerProvider: loggers };
  from("instrumentation").registerInstrumentations({ instrumentations, ...providers });
  noteLines(from("api"), loggers.getLogger("anomod"));
  if (isModule(program)) hookImports(library);
  process.once("beforeExit", () => Promise.allSettled([provider.forceFlush(), loggers.forceFlush()]));
}

/** A context that the service hands on itself gives way to that of the call: with two of them none would count. */
function dropContext(request) {
  const { headers } = request;
  if (typeof headers === "string") request.headers = headers.replace(/^(?:traceparent|tracestate):.*\r\n/gim, "");
  if (!Array.isArray(headers)) return;
  for (let at = headers.length - 2; at >= 0; at -= 2) {
    if (/^(?:traceparent|tracestate)$/i.test(headers[at])) headers.splice(at, 2);
  }
}

/** Each line that is printed inside a span goes out as a record too: who reads the output learns the span from it. */
function noteLines(api, logger) {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write;
    stream.write = function (chunk, ...rest) {
      const flags = api.trace.getActiveSpan()?.spanContext().traceFlags;
      if (flags & api.TraceFlags.SAMPLED && (typeof chunk === "string" || Buffer.isBuffer(chunk))) {
        const [body] = chunk.toString("utf8", 0, 8192).trimStart().split("\n", 1);
        if (body) logger.emit({ body: body.trimEnd(), timestamp: Date.now(), context: api.context.active() });
      }
      return write.call(this, chunk, ...rest);
    };
  }
}

/** What says that the service has OpenTelemetry of its own; "" for nothing. */
function ownSdk({ dependencies }, env) {
  const loaded = [env.NODE_OPTIONS || "", ...process.execArgv].join(" ").match(/\S*opentelemetry\S*/);
  return loaded ? loaded[0] : Object.keys(dependencies || {}).find((name) => OWN_SDK.test(name)) || "";
}

/** The package.json that a file belongs to; {} for none. */
function nearestPackage(file) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
    } catch {
      if (folder === path.dirname(folder)) return {};
    }
  }
}

function isModule(program) {
  return /\.m[jt]s$/.test(program) || (!/\.c[jt]s$/.test(program) && nearestPackage(program).type === "module");
}

/** What a program of modules imports can only be wrapped by a hook of the loader; its own modules are left alone. */
function hookImports(library) {
  const place = pathToFileURL(path.join(library, "import-in-the-middle", "hook.mjs"));
  nodeModule.register(place.href, { data: { include: HOOKED_MODULES } });
}

module.exports = { start };
