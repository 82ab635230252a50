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
    this.root = root;
    this.acorn = acorn;
    this.known = new Map(); // url -> source
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
    const source = { url, file: this.fileOf(url), text: "", places: [], functions: [], inserts: [], told: false };
    this.known.set(url, source);
    try {
      const text = textOf(placeOf(url));
      if (length !== undefined && length !== text.length) throw new Error("what runs is not this file but made of it");
      Object.assign(source, { text, ...lines.study(lines.parse(this.acorn, text)) });
    } catch (error) {
      process.stderr.write(`anomod: no lines of ${source.file}: ${error.message}\n`);
    }
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

/** The text of a file as Node runs it: types are blanks, of the same length. */
function textOf(place) {
  const text = fs.readFileSync(place, "utf8").replace(/^\uFEFF/, "");
  return /\.[cm]?ts$/.test(place) && nodeModule.stripTypeScriptTypes ? nodeModule.stripTypeScriptTypes(text) : text;
}

module.exports = { Sources };
