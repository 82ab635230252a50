// A service as our tests ask it, line by line on standard input: "NAME JSON" -> JSON of what the function gives.
"use strict";
const readline = require("node:readline");

class Refusal extends Error {}

function size(count) {
  if (count > 5) {
    return "many";
  }
  return "few";
}

async function later(count) {
  await new Promise((resolve) => setImmediate(resolve));
  try {
    return [count, size(count)];
  } catch (error) {
    return `caught ${error.message}`;
  }
}

class Cart {
  add(count) {
    if (count < 0) throw new Refusal("less than nothing");
    this.count = count;
  }
}

const twice = (count) => count * 2;

function* each(count) {
  yield count;
}

const functions = { size, later, add: (count) => new Cart().add(count), twice, each: (count) => [...each(count)] };
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const [name, argument] = line.split(" ");
  try {
    console.log(JSON.stringify({ gives: await functions[name](JSON.parse(argument)) }));
  } catch (error) {
    console.log(JSON.stringify({ kind: error.constructor.name, message: error.message, refused: error instanceof Refusal }));
  }
});
console.log(JSON.stringify({ own: globalThis.own }));
