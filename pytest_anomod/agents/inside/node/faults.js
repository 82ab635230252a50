// Faults in functions of the running service: V8 takes another text of a script, in which functions ask $anomod.
//
// A text is changed once for its first function and once for all others: while it counts coverage, V8 loses functions
// that two changes left out. Faults are then switched on and off in the hooks. Calls under way hold a change of their
// function back.
"use strict";
const { Hook, crowded, insertsFor, refusal } = require("./hooks.js");
const { inserted } = require("./lines.js");

const GLOBAL = "$anomod";
const PATIENCE_MS = 3000; // for calls under way: of all functions of a text, and again of the one alone
const EVERY_MS = 20;
const MOST_LINES = 3000; // V8 compares each changed line with each
const MOST_AT_ONCE = 300; // functions whose text is looked for among all that are alive

const isLarge = ({ text }) => text.split("\n").length > MOST_LINES;

class Faults {
  /** `collect` learns the scripts that there are. */
  constructor(sources, collect) {
    this.sources = sources;
    this.collect = collect;
    this.hooks = Object.create(null);
    this.ids = new Map(); // function of a source -> the name of its hook
    this.of = new Map(); // function of a source -> its hook
    this.seen = new Set(); // functions that were seen to have one
    this.on = new Map(); // name of a fault's function -> its hook
    Object.defineProperty(globalThis, GLOBAL, { value: this.hooks });
  }

  patched() {
    return [...this.on.keys()].sort();
  }

  locate(name) {
    const { source, entry } = this.find(name);
    const { start, end } = entry.node.loc;
    return { file: source.file, function: entry.name, first_line: start.line, last_line: end.line };
  }

  /**
   * Put hooks into all functions there are, while the service has nothing to do: in all cases alike, so that what it costs
   * is no mark of the fault. Of functions that ran for long, V8 more often says that it changed them and does not. What
   * can't be changed now stays as it is, until a fault needs it.
   */
  async prepare() {
    this.collect();
    const changed = [];
    for (const source of this.sources.known.values()) {
      if (source.why || source.inserts.length || isLarge(source)) continue;
      const all = this.insertsOf(source.functions.filter((each) => !refusal(each)));
      const close = crowded(source.text, all);
      try {
        for (const entry of await this.put(source, all.filter(({ owner }) => !close.has(owner)), true)) changed.push([source, entry]);
      } catch {
        continue; // calls of it are under way, say
      }
    }
    const asked = changed.slice(0, MOST_AT_ONCE);
    const made = asked.length ? this.made(asked) : [];
    asked.forEach(([, entry], at) => made[at] && this.seen.add(entry));
  }

  async patch({ function: name, ...wanted }) {
    const { source, entry } = this.find(name);
    if (!["raise", "return", "delay"].includes(wanted.action)) {
      throw new Error(`action ${wanted.action} is none of raise, return, delay`);
    }
    const why = refusal(entry, wanted.action);
    if (why) throw new Error(`${name}: ${why}`);
    if (wanted.action === "raise") wanted.prototype = this.errorClass(wanted.exception, source).prototype;
    if (!this.of.has(entry)) await this.change(source, entry);
    if (!this.seen.has(entry) && !this.made([[source, entry]])[0]) {
      throw new Error(`V8 took the change of ${entry.name} and did not make it: start the service anew`);
    }
    this.seen.add(entry);
    this.on.set(name, this.of.get(entry));
    this.of.get(entry).wanted = wanted;
    return this.locate(name);
  }

  /** Switch one fault off, or all for null. */
  restore(name) {
    for (const [key, hook] of [...this.on]) {
      if (name != null && key !== name) continue;
      hook.wanted = null;
      this.on.delete(key);
    }
    return this.patched();
  }

  find(name) {
    const [where, wanted] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
    this.collect();
    const all = [...this.sources.known.values()];
    const bare = (file) => file.replace(/\.[cm]?[jt]sx?$/, "");
    const found = all.filter(({ file }) => [file, bare(file)].some((one) => one === where || one.endsWith(`/${where}`)));
    if (found.length !== 1) {
      const files = all.map(({ file }) => bare(file)).sort().slice(0, 20).join(", ");
      throw new Error(`${name}: ${found.length ? "several files are" : "no loaded file is"} ${where}; there are ${files}`);
    }
    if (found[0].why) throw new Error(`${name}: ${found[0].why}`);
    const entries = found[0].functions.filter((each) => each.name === wanted);
    if (entries.length !== 1) {
      const at = entries.map(({ node }) => node.loc.start.line).join(" and ");
      const names = found[0].functions.map((each) => each.name).slice(0, 40).join(", ");
      const why = at ? `there is one each in lines ${at}` : `${found[0].file} has ${names || "no functions"}`;
      throw new Error(`${name}: ${why}`);
    }
    return { source: found[0], entry: entries[0] };
  }

  /** Put hooks into a function; with the second one of a source into all others too, if their calls end in time. */
  async change(source, entry) {
    const rest = source.functions.filter((each) => !this.of.has(each) && !refusal(each));
    const all = this.insertsOf(source.inserts.length && !isLarge(source) ? rest : []);
    const close = crowded(source.text, all);
    const most = all.filter(({ owner }) => owner === entry || !close.has(owner));
    for (const inserts of [most, this.insertsOf([entry])]) {
      if ((await this.put(source, inserts, inserts.every(({ owner }) => owner === entry))).length) return;
    }
  }

  /** Put hooks where these inserts have them; the functions, none of them if their calls did not end in time. */
  async put(source, inserts, isLast) {
    const owners = [...new Set(inserts.map(({ owner }) => owner))];
    for (const owner of owners) this.hooks[this.idOf(owner)] ||= new Hook(owner.node.async);
    if (!owners.length || !(await this.edit(source, [...source.inserts, ...inserts], isLast))) return [];
    for (const owner of owners) {
      this.of.set(owner, this.hooks[this.idOf(owner)]);
      source.made.set(owner.node.end, source.inserts);
    }
    return owners;
  }

  /** The words of functions, by where they stand. */
  insertsOf(entries) {
    const found = entries.flatMap((owner) =>
      insertsFor(owner, `${GLOBAL}.${this.idOf(owner)}`).map((each) => ({ ...each, owner })),
    );
    return found.sort((a, b) => a.at - b.at);
  }

  idOf(entry) {
    if (!this.ids.has(entry)) this.ids.set(entry, `f${this.ids.size}`);
    return this.ids.get(entry);
  }

  /** Have V8 run the text of a source with these inserts; false if calls under way never let it, an error if `isLast`. */
  async edit(source, inserts, isLast) {
    inserts.sort((a, b) => a.at - b.at);
    const scriptId = this.sources.idOf(source);
    if (this.sources.post("Debugger.getScriptSource", { scriptId }).scriptSource !== inserted(source.text, source.inserts)) {
      throw new Error(`what runs of ${source.file} is not this file: it can't be changed`);
    }
    const wanted = { scriptId, scriptSource: inserted(source.text, inserts) };
    const until = Date.now() + PATIENCE_MS;
    for (let tries = 0; ; tries++) {
      if (tries % 20 === 0) this.sources.post("HeapProfiler.collectGarbage"); // calls that have ended count until then
      const why = this.refused(wanted);
      if (!why) break;
      const isOver = Date.now() > until;
      if (!/active|generator/i.test(why) || (isOver && isLast)) {
        throw new Error(`V8 does not take the change of ${source.file}: ${why}`);
      }
      if (isOver) return false;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    source.inserts = inserts;
    return true;
  }

  /** Why V8 did not take a text; "" if it did. Node 18 has no status. */
  refused(wanted) {
    try {
      const { status, exceptionDetails } = this.sources.post("Debugger.setScriptSource", wanted);
      if (exceptionDetails) return exceptionDetails.text;
      return !status || status === "Ok" ? "" : status;
    } catch (error) {
      return error.message;
    }
  }

  /** Of each [source, function]: whether those alive are of the new text. V8 may say yes and change nothing. */
  made(asked) {
    const texts = asked.map(([{ text, inserts }, { node }]) => {
      return [text.slice(node.body.start, node.end), inserted(text, inserts, node.body.start, node.end)];
    });
    const longest = asked.map(([, { node }], at) => node.end - node.start + texts[at][1].length);
    const counts = this.alive(
      "Function.prototype",
      `function (texts, longest) {
        const [found, most] = [texts.map(() => [0, 0]), Math.max(...longest)];
        for (const each of this) {
          const text = typeof each === "function" ? Function.prototype.toString.call(each) : "";
          if (text.length > most) continue;
          texts.forEach(([old, fresh], at) => {
            if (text.length > longest[at]) return;
            if (text.endsWith(fresh)) found[at][1]++;
            else if (text.endsWith(old)) found[at][0]++;
          });
        }
        return found;
      }`,
      [{ value: texts }, { value: longest }],
    ).value;
    return counts.map(([stale, changed], at) => changed > 0 || (stale === 0 && Boolean(asked[at][1].outer)));
  }

  /** A built-in error, or a class of the service's own. RuntimeError, the default in all languages, is Error. */
  errorClass(name, source) {
    const found = name === "RuntimeError" ? Error : globalThis[name];
    if (found === Error || (typeof found === "function" && found.prototype instanceof Error)) return found;
    this.alive(
      "Error.prototype",
      `function (name) {
        const own = this.filter((each) => Object.hasOwn(each, "constructor") && each.constructor?.name === name);
        ${GLOBAL}.found = own.map((each) => each.constructor);
      }`,
      [{ value: name }],
    );
    const [first] = this.hooks.found;
    if (!first) throw new Error(`exception ${name} is neither built in nor a class of ${source.file} or what it loads`);
    return first;
  }

  /** Call a function with all objects alive below a prototype as `this`; its result. */
  alive(prototype, functionDeclaration, args) {
    const { result } = this.sources.post("Runtime.evaluate", { expression: prototype, objectGroup: GLOBAL });
    const below = { prototypeObjectId: result.objectId, objectGroup: GLOBAL };
    const { objects } = this.sources.post("Runtime.queryObjects", below);
    const asked = { objectId: objects.objectId, functionDeclaration, arguments: args, returnByValue: true };
    const answer = this.sources.post("Runtime.callFunctionOn", asked);
    this.sources.post("Runtime.releaseObjectGroup", { objectGroup: GLOBAL });
    if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description || "V8 does not answer");
    return answer.result;
  }
}

module.exports = { Faults };
