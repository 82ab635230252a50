// What is loaded before a service (`node --require`): line coverage and faults over a unix socket, traces over OTLP.
//
// Whatever fails here is said in one line on standard error, and the service starts as it would without.
"use strict";
const path = require("node:path");
const { isMainThread, parentPort, threadId } = require("node:worker_threads");

const NO_SERVICES = /[/\\](?:npm|npx|pnpm|pnpx|corepack|yarn(?:-[\w.]+)?)(?:-cli)?(?:\.c?js)?$/;

/** Whether this is no service: a package manager that starts one, a program run in a container by hand, a loader. */
function isOther() {
  if (!isMainThread && !parentPort) return true;
  const isBesides = process.platform === "linux" && process.ppid === 0 && process.pid !== 1;
  return isBesides || NO_SERVICES.test(process.argv[1] || "");
}

function start(env) {
  const gives = (env.ANOMOD_GIVE || "").split(",").filter(Boolean);
  const absent = {};
  const attempt = (what, make) => {
    if (!gives.includes(what)) return undefined;
    try {
      return make();
    } catch (error) {
      absent[what] = String(error.message).split("\n")[0];
      process.stderr.write(`anomod: no ${what}: ${absent[what]}\n`);
      return undefined;
    }
  };
  const library = path.join(env.ANOMOD_LIBRARY || "", "node_modules");
  const session = new (require("node:inspector").Session)();
  session.connect();
  const coverage = attempt("coverage", () => new (require("./coverage.js").Coverage)(session));
  const sources = attempt(coverage ? "coverage" : "faults", () => {
    const { Sources } = require("./sources.js");
    return new Sources(session, path.resolve(env.ANOMOD_SOURCE || "."), require(path.join(library, "acorn")));
  });
  const learn = () => (coverage ? coverage.collect(sources) : sources.learnAll());
  const faults = sources && attempt("faults", () => new (require("./faults.js").Faults)(sources, learn));
  attempt("traces", () => require("./traces.js").start(library, env));
  const need = (part, what) => {
    if (!part) throw new Error(absent[what] || `${what} was not asked for`);
    return part;
  };
  const answers = {
    "/hello": async () => {
      if (faults) await faults.prepare();
      else if (coverage && sources) learn();
      const why = sources ? sources.absent() : "";
      return { language: "node", version: process.versions.node, absent: { ...(why && { coverage: why }), ...absent } };
    },
    "/coverage/snapshot": (asked) => need(sources && coverage, "coverage").snapshot(sources, asked),
    "/code/locate": (asked) => need(faults, "faults").locate(asked.function),
    "/code/patch": (asked) => need(faults, "faults").patch(asked),
    "/code/restore": (asked) => need(faults, "faults").restore(asked.function),
    "/code/patched": () => need(faults, "faults").patched(),
  };
  const name = isMainThread ? `${process.pid}.sock` : `${process.pid}-${threadId}.sock`;
  require("./server.js").serve(env.ANOMOD_RUN, name, (asked, payload) => {
    if (!answers[asked]) throw new Error(`there is no ${asked}`);
    return answers[asked](payload);
  });
}

if (process.env.ANOMOD_RUN && !isOther()) {
  try {
    start(process.env);
  } catch (error) {
    process.stderr.write(`anomod: no agent: ${error.message}\n`);
  }
}
