// The same as shop.js in small, as a module that imports another by the loader of loader.mjs.
import readline from "node:readline";
import { size } from "./sizes";

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  console.log(JSON.stringify({ gives: size(JSON.parse(line.split(" ")[1])) }));
});
console.log(JSON.stringify({}));
