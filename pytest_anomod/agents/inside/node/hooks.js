// Words put between those of a function, by which it can be made late, raise or return another value; see faults.js.
//
// They have no brackets and no braces of their own, which V8, that compares texts letter by letter, could take for
// others' and lose track of where functions end. Switched off they change nothing that the function does.
"use strict";
const { children, FUNCTIONS } = require("./lines.js");

const MOST_LETTERS = 800;
const NO_FIRST_WORDS = /^(?:Assignment|ArrowFunction|Function|Sequence)Expression$/;

/** [{at, text}] of a function that can be changed, `hook` being what to ask there. */
function insertsFor({ node }, hook) {
  if (node.body.type !== "BlockStatement") {
    return [{ at: node.body.start, text: `${node.async ? "await " : ""}${hook}.late || ${hook}.raise || ` }];
  }
  // after an `await` that is left out by && or by if, V8 counts what follows as not run; with ?: it doesn't
  const late = node.async ? `${hook}.isLate ? await ${hook}.late : 0` : `${hook}.late`;
  const statements = node.body.body;
  const directives = statements.filter((one) => one.directive);
  const first = { at: directives.length ? directives.at(-1).end : node.body.start + 1, text: `;${late};` };
  const found = [first, ...statements.flatMap((one) => ofStatement(one, one, hook, true))];
  if (!statements.length || !/^(?:Return|Throw)Statement$/.test(statements.at(-1).type)) {
    found.push({ at: node.body.end - 1, text: `;${hook}.raise;return ${hook}.nothing;` });
  }
  return found;
}

/** Why a function can't be changed, or not by an action; "" if it can be. */
function refusal({ node, isConstructor }, action = "") {
  if (isConstructor) return "it is a constructor, which V8 does not change";
  if (node.generator) return "it is a generator; only plain and async functions can be changed";
  const { type, operator } = node.body;
  if (type !== "BlockStatement" && (NO_FIRST_WORDS.test(type) || operator === "??")) {
    return "it is an arrow function whose body is an assignment, a function, a list or a ??: put it in braces";
  }
  const isBare = action === "return" && type !== "BlockStatement";
  return isBare ? "it is an arrow function without braces, whose value stays" : "";
}

/**
 * What owns inserts, [{at, text, owner}] by `at`, that stand too close: V8 compares changed lines that follow one another
 * letter by letter only up to so many letters, and more of them as a whole, in which it finds no function again.
 */
function crowded(text, inserts) {
  const found = new Set();
  let [start, next, before, after, owners] = [0, 0, 0, 0, []];
  for (const line of [...text.split(/(?<=\n)/), ""]) {
    const end = start + line.length;
    const own = [];
    for (; next < inserts.length && inserts[next].at < end; next++) own.push(inserts[next]);
    if (own.length) {
      before += line.length;
      after += own.reduce((sum, one) => sum + one.text.length, line.length);
      owners.push(...own.map(({ owner }) => owner));
    } else {
      if (Math.max(before, after) >= MOST_LETTERS) owners.forEach((owner) => found.add(owner));
      [before, after, owners] = [0, 0, []];
    }
    start = end;
  }
  return found;
}

/**
 * Of a statement, functions inside it left aside: before each return it may raise, and then return another value. Before
 * a `try` with a return in it, which could catch what is raised there, it may raise and does not in it. `inList` is the
 * statement around it that others may stand before.
 */
function ofStatement(node, inList, hook, mayRaise) {
  if (FUNCTIONS.has(node.type) || /^Class/.test(node.type)) return [];
  if (node.type === "ReturnStatement") return ofReturn(node, hook, mayRaise);
  const isList = node.type === "BlockStatement" || node.type === "SwitchCase";
  const isTry = mayRaise && node.type === "TryStatement" && returns(node);
  const mayInside = mayRaise && !isTry;
  const inside = children(node).flatMap(([, child]) => ofStatement(child, isList ? child : inList, hook, mayInside));
  return isTry ? [{ at: inList.start, text: `${hook}.raise;` }, ...inside] : inside;
}

function ofReturn({ start, argument }, hook, mayRaise) {
  const raise = mayRaise ? `${hook}.raise, ` : "";
  if (!argument) return [{ at: start + "return".length, text: ` ${raise}${hook}.nothing` }];
  return [
    { at: argument.start, text: `${raise}${hook}.value = ` },
    { at: argument.end, text: `, ${hook}.value` },
  ];
}

function returns(node) {
  if (node.type === "ReturnStatement") return true;
  return !FUNCTIONS.has(node.type) && children(node).some(([, child]) => returns(child));
}

/** What the words ask: `wanted` is null, or the fault that is on, with the prototype of its error. */
class Hook {
  constructor(isAsync) {
    this.isAsync = isAsync;
    this.wanted = null;
    this.given = undefined;
  }

  get raise() {
    const { wanted } = this;
    if (wanted?.action === "raise") throw Object.setPrototypeOf(new Error(wanted.message), wanted.prototype);
  }

  get isLate() {
    return this.wanted?.action === "delay";
  }

  /** A promise for async functions; in others nothing else runs in this thread, as when a function takes its time. */
  get late() {
    if (!this.isLate) return undefined;
    const { delay_s } = this.wanted;
    if (this.isAsync) return new Promise((resolve) => setTimeout(resolve, delay_s * 1000));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delay_s * 1000);
    return undefined;
  }

  set value(own) {
    this.given = own;
  }

  get value() {
    const { given, wanted } = this;
    this.given = undefined;
    if (wanted?.action !== "return") return given;
    return this.isAsync && given instanceof Promise ? given.then(() => wanted.value) : wanted.value;
  }

  get nothing() {
    return this.wanted?.action === "return" ? this.wanted.value : undefined;
  }
}

module.exports = { Hook, crowded, insertsFor, refusal };
