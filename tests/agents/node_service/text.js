// A service that answers each line with the text of one of its functions, as V8 has it.
"use strict";
const readline = require("node:readline");

function size(count) {
  return count > 5 ? "many" : "few";
}

readline.createInterface({ input: process.stdin }).on("line", () => {
  console.log(JSON.stringify({ gives: size(9), text: size.toString() }));
});
console.log(JSON.stringify({ own: globalThis.own }));
