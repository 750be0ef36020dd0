// The data of a session: what was answered about whom at a time. Text from data only ever becomes text nodes.
"use strict";

coabench.session = () => {
  const data = coabench.data("session-data");
  const { answers, turns, strings, questions, faces, answerers } = data;
  const string = (number) => (number < 0 ? null : strings[number]);
  const total = answers.time.length;
  const first = new Uint32Array(total + 1);
  for (let i = 0; i < total; i += 1) first[i + 1] = first[i] + answers.asked[i];

  // A line is what one answerer says of one face: its answers, in order.
  const lines = [];
  const byPair = new Map();
  for (let i = 0; i < total; i += 1) {
    const key = answers.face[i] * answerers.length + answers.answerer[i];
    if (!byPair.has(key)) {
      byPair.set(key, { face: answers.face[i], answerer: answers.answerer[i], rows: [], times: [] });
      lines.push(byPair.get(key));
    }
    byPair.get(key).rows.push(i);
    byPair.get(key).times.push(answers.time[i]);
  }
  lines.sort((a, b) => a.face - b.face || a.answerer - b.answerer);

  // An answer stands until the next one, and not for long where none comes: the face was not there.
  for (const line of lines) {
    const gaps = line.times.slice(1).map((time, n) => time - line.times[n]).sort((a, b) => a - b);
    const usual = gaps.length ? gaps[gaps.length >> 1] : 1;
    line.holds = Math.max(0.5, 3 * usual);
    line.until = (n) => Math.min(line.times[n] + line.holds, n + 1 < line.times.length ? line.times[n + 1] : Infinity);
  }
  const film = data.film;
  const ends = [1, ...lines.map((line) => line.until(line.times.length - 1)), ...data.notes.map(([time]) => time), ...data.gaps.map(([, until]) => until)];
  if (film) ends.push(film.begins + film.length);
  const end = ends.reduce((a, b) => Math.max(a, b)); // one session may have more faces than a call takes arguments

  // Return the position in *times* of the last one that is not after *time*; -1 where all are.
  function last(times, time) {
    let [low, high] = [0, times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  return {
    ...data, string, total, lines, end, last,
    turnNames: [...new Set(questions.map(([name]) => name))],
    // The answer of a line that stands at a time: its number, or -1.
    at(line, time) {
      const n = last(line.times, time);
      return n >= 0 && time < line.until(n) ? line.rows[n] : -1;
    },
    // Why the camera gave no frames at a time; null where it did.
    gapAt: (time) => data.gaps.find(([from, until]) => from < time && time < until)?.[2] ?? null,
    // The numbers of an answer's turns.
    turnsOf: (i) => Array.from({ length: answers.asked[i] }, (_, n) => first[i] + n),
    turnOf(i, name) {
      for (let t = first[i]; t < first[i + 1]; t += 1) if (questions[turns.question[t]][0] === name) return t;
      return -1;
    },
    // The thumbnail of a line nearest before an answer, none that is older than ten seconds.
    thumbnail(line, i) {
      for (let n = last(line.times, answers.time[i]); n >= 0 && answers.time[i] - line.times[n] <= 10; n -= 1) {
        if (data.thumbnails[line.rows[n]]) return data.thumbnails[line.rows[n]];
      }
      return null;
    },
    colour: (face) => data.colours[(((faces[face] - 1) % data.colours.length) + data.colours.length) % data.colours.length],
    clock(time) {
      const tenths = Math.round(10 * time);
      const [hours, minutes, seconds] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, (tenths % 600) / 10];
      const padded = seconds.toFixed(1).padStart(4, "0");
      return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${padded}` : `${minutes}:${padded}`;
    },
  };
};

// A file of comma-separated values, which no spreadsheet takes for formulas.
coabench.csv = (name, rows) => {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = coabench.visible(value);
    const harmless = /^\s*[=+\-@＝＋－＠]/u.test(text) ? `'${text}` : text;
    return /[",\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  };
  const text = rows.map((row) => row.map(cell).join(",")).join("\n");
  const link = coabench.element("a", { download: name });
  link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};
