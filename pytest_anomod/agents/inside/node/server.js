// Answers questions over a unix socket in the run directory: a line of JSON each, {"path", "payload"} -> {"ok" | "error"}.
"use strict";
const fs = require("node:fs");
const net = require("node:net");

/** Listen at a path until the process ends, without keeping it from ending. */
function serve(place, answer) {
  const server = net.createServer((socket) => {
    let asked = "";
    socket.setEncoding("utf8").on("error", () => socket.destroy());
    socket.on("data", async (part) => {
      asked += part;
      if (!asked.endsWith("\n")) return;
      let said;
      try {
        const { path, payload } = JSON.parse(asked);
        said = { ok: await answer(path, payload || {}) };
      } catch (error) {
        said = { error: error.message };
      }
      socket.end(JSON.stringify(said));
    });
  });
  fs.rmSync(place, { force: true });
  server.on("error", (error) => process.stderr.write(`pytest-anomod: no agent in this process: ${error.message}\n`));
  server.listen(place, () => fs.chmodSync(place, 0o666)); // whoever runs the service, the directory is ours alone
  server.unref();
  process.on("exit", () => fs.rmSync(place, { force: true }));
}

module.exports = { serve };
