// Which lines of the service's own sources ran since the last question: V8's precise block coverage.
"use strict";
const { coveredLines, unchanged } = require("./lines.js");

const now = () => Math.round((performance.timeOrigin + performance.now()) * 1e6);

class Coverage {
  /** Counts from now on; must come before the first module of the service, which else has no blocks. */
  constructor(session) {
    this.since = now();
    this.covered = new Map(); // source -> lines since then
    this.isExact = true;
    session.post("Profiler.enable");
    session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Take what V8 counted, which makes it begin anew; learns scripts. */
  collect(sources) {
    for (const { url, functions } of sources.post("Profiler.takePreciseCoverage").result) {
      if (!sources.fileOf(url)) continue;
      sources.learn(url, functions[0].functionName === "" ? functions[0].ranges[0].endOffset : undefined);
      const source = sources.known.get(url);
      // counted as a whole: which of its blocks ran is not known
      if (functions.some((each) => !each.isBlockCoverage && each.ranges[0].count > 0)) this.isExact = false;
      if (!this.covered.has(source)) this.covered.set(source, new Set());
      const own = functions.map((each) => unchanged(each, source));
      for (const line of coveredLines(source.places, own)) this.covered.get(source).add(line);
    }
  }

  /** What ran since the last reset, as language.py has it. */
  snapshot(sources, { reset, full }) {
    this.collect(sources);
    const answer = { files: {}, since_unix_nano: this.isExact ? this.since : null, at_unix_nano: now() };
    for (const source of sources.known.values()) {
      const covered = this.covered.get(source) || [];
      const isNews = (full || !source.told) && source.places.length > 0;
      if (isNews || covered.size) answer.files[source.file] = { covered: sorted(covered), ...(isNews && extent(source)) };
      source.told = true;
    }
    if (reset) {
      this.since = answer.at_unix_nano;
      this.covered.clear();
      this.isExact = true;
    }
    return answer;
  }
}

/** The lines of a source that can run; first and last line of its functions, of several of one name of the first. */
function extent({ places, functions }) {
  const found = {};
  for (const { name, node } of functions) found[name] ||= [node.loc.start.line, node.loc.end.line];
  return { executable: sorted(new Set(places.map(({ line }) => line))), functions: found };
}

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);

module.exports = { Coverage };
