// Where the time between a picture and its answer goes, and what the session takes of the server's machine.
"use strict";

coabench.gauges = (root) => {
  const REMEMBERED = 30; // answers
  const { element } = coabench;
  const ways = [];
  const rows = {};
  for (const [name, title] of [
    ["detect", "finding faces"], ["wait", "waiting for the model"], ["model", "model"], ["way", "way there and back"],
    ["processor", "processor"], ["memory", "memory"], ["gpu", "GPU"], ["gpu_memory", "GPU memory"],
  ]) {
    rows[name] = element("dd", {}, "–");
    root.append(element("div", {}, element("dt", {}, title), rows[name]));
  }

  const duration = (seconds) => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);
  const share = (part) => `${Math.round(100 * part)} %`;
  const size = (bytes) => (bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);
  const median = (values) => [...values].sort((a, b) => a - b)[Math.ceil(values.length / 2) - 1] ?? null;
  const say = (name, value, written) => {
    const text = value === null || value === undefined ? "–" : written(value);
    if (rows[name].textContent !== text) rows[name].textContent = text;
  };

  return {
    // An answer that came: what of its age is not the server's work is the way, encoding and decoding included.
    arrived({ captured, detect, wait, seconds }) {
      ways.push(Math.max(0, (performance.now() - captured) / 1000 - detect - wait - seconds));
      if (ways.length > REMEMBERED) ways.shift();
    },

    // Dashes while nothing goes.
    show(rates, gauges, on) {
      say("detect", on ? rates.detect : null, duration);
      say("wait", on ? rates.wait : null, duration);
      say("model", on ? rates.median : null, duration);
      say("way", on ? median(ways) : null, duration);
      say("processor", on ? gauges.processor : null, share);
      say("memory", on ? gauges.memory : null, size);
      say("gpu", on ? gauges.gpu : null, share);
      say("gpu_memory", on ? gauges.gpu_memory : null, size);
    },
  };
};
