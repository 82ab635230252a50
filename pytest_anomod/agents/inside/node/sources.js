// The service's own scripts: which there are, and what they consist of.
"use strict";
const fs = require("node:fs");
const nodeModule = require("node:module");
const path = require("node:path");
const { fileURLToPath } = require("node:url");
const lines = require("./lines.js");

class Sources {
  /** `root` is the directory whose files count as the service's own; `acorn` the parser. */
  constructor(session, root, acorn) {
    this.session = session;
    this.root = fs.realpathSync(root); // as the URLs of scripts have it
    this.acorn = acorn;
    this.known = new Map(); // url -> source
    this.why = ""; // of the first script that could not be read
    this.ids = new Map(); // url -> V8's id of the script, while the debugger is on
    session.on("Debugger.scriptParsed", ({ params: { url, scriptId } }) => {
      if (this.fileOf(url) && !this.ids.has(url)) this.ids.set(url, scriptId);
    });
  }

  /** The file of a script below the root, "" for one that is not the service's own. */
  fileOf(url) {
    if (!url.startsWith("file://") || url.includes("/node_modules/")) return "";
    const place = placeOf(url);
    const file = place && path.relative(this.root, place);
    return file.startsWith("..") || path.isAbsolute(file) || place.startsWith(__dirname + path.sep) ? "" : file;
  }

  /** Learn a script that is not known; `length` is that of the text which V8 runs, if it is known. */
  learn(url, length) {
    if (this.known.has(url) || !this.fileOf(url)) return;
    const nothing = { text: "", places: [], functions: [], inserts: [], told: false, why: "" };
    const source = { url, file: this.fileOf(url), ...nothing };
    this.known.set(url, source);
    try {
      const text = textOf(url);
      if (length !== undefined && length !== text.length) throw new Error("what runs is made of it, and source maps are not followed");
      Object.assign(source, { text, ...lines.study(lines.parse(this.acorn, text)) });
    } catch (error) {
      source.why = `no lines of ${source.file}: ${error.message}`;
      if (!this.why) process.stderr.write(`anomod: ${source.why}\n`); // once: it may be so of hundreds
      this.why ||= source.why;
    }
  }

  /** Why no script can be counted; "" if one can be, or nothing was loaded yet. */
  absent() {
    return [...this.known.values()].some(({ why }) => !why) ? "" : this.why;
  }

  /** Learn all scripts there are, by the debugger, which is then on. */
  learnAll() {
    this.debug();
    for (const url of this.ids.keys()) this.learn(url);
  }

  /** V8's id of a script. */
  idOf({ url }) {
    this.debug();
    return this.ids.get(url);
  }

  /**
   * Turn the debugger on, for good: turned off, V8 would go on to count changed scripts by whole functions. It makes
   * async functions slower, so it is off until something is changed.
   */
  debug() {
    if (this.ids.size) return;
    this.post("Debugger.enable");
    this.post("Debugger.setSkipAllPauses", { skip: true }); // nobody would let a `debugger;` go on
  }

  /** Ask V8; a session in the same thread answers before it returns. */
  post(method, params) {
    let failed, got;
    this.session.post(method, params || {}, (error, answer) => ([failed, got] = [error, answer]));
    if (failed) throw new Error(`${method}: ${failed.message}`);
    return got;
  }
}

function placeOf(url) {
  try {
    return fileURLToPath(url.split(/[?#]/)[0]);
  } catch {
    return "";
  }
}

/** The text of a file as Node runs it: types become blanks, and a last line says whose text it is. */
function textOf(url) {
  const text = fs.readFileSync(placeOf(url), "utf8").replace(/^\uFEFF/, "");
  if (!/\.[cm]?ts$/.test(url) || !nodeModule.stripTypeScriptTypes) return text;
  return nodeModule.stripTypeScriptTypes(text, { sourceUrl: url });
}

module.exports = { Sources };
