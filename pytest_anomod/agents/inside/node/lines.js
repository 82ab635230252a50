// What a source text consists of: functions by qualified name, places where something runs, lines. By acorn's tree.
"use strict";

const PLACES = /(?:Statement|Declaration|Expression|Literal|Declarator)$|^Identifier$|^ImportDeclaration$/;
const NO_PLACES = new Set([
  "FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression", "BlockStatement", "EmptyStatement",
]); // prettier-ignore
const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);
const NOT_RUN = { key: true, id: true, label: true, specifiers: true, source: true, meta: true, local: true };

/** The tree of a script or module; SyntaxError for what acorn does not know. */
function parse(acorn, text) {
  const options = { ecmaVersion: "latest", allowHashBang: true, locations: true, allowReturnOutsideFunction: true };
  try {
    return acorn.parse(text, { ...options, sourceType: "script", allowAwaitOutsideFunction: false });
  } catch {
    return acorn.parse(text, { ...options, sourceType: "module" });
  }
}

/**
 * {places: [{offset, line}] by offset, functions: [{name, node, outer, isConstructor}] in the order of the text}.
 *
 * A place is the beginning of a statement or an expression: its line can run. The offset of a place inside a function
 * lies in V8's range of that function. Functions without a name are called <LINE> where they have a body in braces.
 */
function study(tree) {
  const places = [];
  const functions = [];
  const take = (node) => places.push({ offset: node.start, line: node.loc.start.line });

  function visit(node, names, outer) {
    if (FUNCTIONS.has(node.type)) return visitFunction(node, names, outer, node.id ? node.id.name : "");
    if (node.type === "ClassDeclaration" || node.type === "ClassExpression") {
      if (node.type === "ClassDeclaration") take(node);
      return visitClass(node, names, outer, node.id ? node.id.name : "");
    }
    if (PLACES.test(node.type) && !NO_PLACES.has(node.type) && !node.directive) take(node);
    for (const [key, child] of children(node)) {
      if (NOT_RUN[key] && !(key === "key" && node.computed)) continue;
      visitNamed(child, names, outer, nameGiven(node, key));
    }
  }

  function visitNamed(node, names, outer, name) {
    if (name && FUNCTIONS.has(node.type)) return visitFunction(node, names, outer, node.id ? node.id.name : name);
    if (name && node.type === "ClassExpression") return visitClass(node, names, outer, name);
    if (name && node.type === "ObjectExpression") return visit(node, [...names, name], outer);
    return visit(node, names, outer);
  }

  function visitClass(node, names, outer, name) {
    const inner = name ? [...names, name] : names;
    if (node.superClass) visit(node.superClass, names, outer);
    for (const member of node.body.body) {
      if (member.type === "StaticBlock") {
        member.body.forEach((statement) => visit(statement, inner, outer));
      } else {
        if (member.computed) visit(member.key, names, outer);
        if (member.value) visitNamed(member.value, inner, outer, plainName(member.key, member.computed));
        if (member.kind === "constructor") functions.find((one) => one.node === member.value).isConstructor = true;
      }
    }
  }

  function visitFunction(node, names, outer, name) {
    const own = name || (node.body.type === "BlockStatement" ? `<${node.loc.start.line}>` : "");
    const inner = own ? [...names, own] : names;
    const entry = { name: inner.join("."), node, outer, isConstructor: false };
    if (own) functions.push(entry);
    for (const parameter of node.params) defaults(parameter, inner, own ? entry : outer);
    if (node.body.type === "BlockStatement") node.body.body.forEach((one) => visit(one, inner, own ? entry : outer));
    else visit(node.body, inner, own ? entry : outer);
  }

  function defaults(pattern, names, outer) {
    if (pattern.type === "AssignmentPattern") visit(pattern.right, names, outer);
    for (const [, child] of children(pattern)) if (/Pattern$|^Property$/.test(child.type)) defaults(child, names, outer);
  }

  visit(tree, [], null);
  places.sort((a, b) => a.offset - b.offset);
  return { places, functions };
}

/** [key, node] of what stands in a node. */
function children(node) {
  return Object.entries(node).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).filter((one) => one && typeof one.type === "string").map((one) => [key, one]),
  );
}

/** The name that a function or class gets from where it stands: that of a variable, a property, an export. */
function nameGiven(node, key) {
  if (node.type === "VariableDeclarator" && key === "init") return node.id.type === "Identifier" ? node.id.name : "";
  if (node.type === "AssignmentExpression" && key === "right") return memberName(node.left);
  if (node.type === "Property" && key === "value") return plainName(node.key, node.computed);
  return node.type === "ExportDefaultDeclaration" ? "default" : "";
}

/** `run` of exports.run and module.exports.run, `Shop.open` of Shop.prototype.open; "" of what is no name. */
function memberName(node) {
  const parts = [];
  for (; node.type === "MemberExpression"; node = node.object) parts.unshift(plainName(node.property, node.computed));
  if (node.type === "Identifier") parts.unshift(node.name);
  const names = parts.filter((part) => part !== "prototype" && part !== "this");
  while (names[0] === "module" || names[0] === "exports") names.shift();
  return parts.includes("") ? "" : names.join(".");
}

function plainName(key, isComputed) {
  const name = isComputed ? "" : String(key.name ?? key.value ?? "");
  return /^[\w$]+$/.test(name) ? name : "";
}

/**
 * Lines that ran, of places, by V8's functions with nested ranges: the innermost range of a place counts. `inserts`,
 * [{at, text}] by `at`, are what V8's text has more.
 */
function coveredLines(places, functions, inserts) {
  const ranges = functions.flatMap((each) => each.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  const covered = new Set();
  const open = [];
  let next = 0;
  let insert = 0;
  let added = 0;
  for (const { offset, line } of places) {
    for (; insert < inserts.length && inserts[insert].at <= offset; insert++) added += inserts[insert].text.length;
    const at = offset + added;
    for (; next < ranges.length && ranges[next].startOffset <= at; next++) open.push(ranges[next]);
    while (open.length && open.at(-1).endOffset <= at) open.pop();
    const around = open.findLast(({ endOffset }) => endOffset > at); // one that began later may have ended sooner
    if (around && around.count > 0) covered.add(line);
  }
  return covered;
}

/** A text, or a stretch of it, with inserts. */
function inserted(text, inserts, start = 0, end = text.length) {
  let made = "";
  let from = start;
  for (const one of inserts.filter(({ at }) => at >= start && at <= end)) {
    made += text.slice(from, one.at) + one.text;
    from = one.at;
  }
  return made + text.slice(from, end);
}

module.exports = { parse, study, coveredLines, inserted, children, FUNCTIONS };
