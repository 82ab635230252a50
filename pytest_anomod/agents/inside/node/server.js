// Answers questions over a unix socket in the run directory: a line of JSON each, {"path", "payload"} -> {"ok" | "error"}.
"use strict";
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");

/** Listen under a name in a directory until the process ends, without keeping it from ending. */
function serve(directory, name, answer) {
  // the kernel takes paths of 107 bytes
  const isLong = Buffer.byteLength(path.join(directory, name)) > 100;
  const place = path.join(isLong ? `/proc/self/fd/${fs.openSync(directory)}` : directory, name);
  const server = net.createServer((socket) => {
    let asked = "";
    socket.setEncoding("utf8").on("error", () => socket.destroy());
    socket.on("data", async (part) => {
      asked += part;
      if (!asked.endsWith("\n")) return;
      let said;
      try {
        const question = JSON.parse(asked);
        said = { ok: await answer(question.path, question.payload || {}) };
      } catch (error) {
        said = { error: error.message };
      }
      socket.end(JSON.stringify(said));
    });
  });
  fs.rmSync(place, { force: true }); // of a process with this pid before a restart
  const say = (error) => error && process.stderr.write(`anomod: no agent: ${error.message}\n`);
  server.on("error", say);
  server.listen(place, () => fs.chmod(place, 0o666, say)); // whoever sees the directory may speak to it
  server.unref();
}

module.exports = { serve };
