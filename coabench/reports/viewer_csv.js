// The samples of a view as a CSV file, made in the browser.
"use strict";

coabench.csv = (samples, shown) => {
  const { data, string, runs, keyed } = samples;
  const known = (column) => (i) => string(column[i]);
  const columns = [
    ["id", (i) => data.id[i]],
    ["image", known(data.image)],
    ["label", known(data.target)],
    ...runs.flatMap((run) => [
      ["prediction", known(run.prediction)],
      ["result", run.result],
      ["reason", run.why],
      ["confidence", run.sure],
      ...(run.scored ? [["margin", run.margin]] : []),
      ["seconds", (i) => run.seconds[i]],
      ...run.names.flatMap((name) => {
        const turn = (i) => run.turnsOf(i).find((t) => data.questions[run.turns.question[t]][0] === name);
        const of = (column) => (i) => (turn(i) === undefined ? null : string(column[turn(i)]));
        return [[`answer: ${string(name)}`, of(run.turns.label)], [`response: ${string(name)}`, of(run.turns.response)]];
      }),
    ].map(([title, of]) => [keyed(run, title), of])),
    ["votes", known(data.votes)],
    ...Object.entries(data.attributes).map(([name, column]) => [name, known(column)]),
  ];
  const rows = [columns.map(([title]) => title), ...shown.map((i) => columns.map(([, of]) => of(i)))];
  return rows.map((row) => `${row.map(coabench.csvCell).join(",")}\n`).join("");
};

// As `csv_cell` of coabench/render/tables.py: a leading quote keeps a spreadsheet from taking text for a formula. Attributes
// come as text, and a number in them is none.
coabench.csvCell = (value) => {
  if (value === null) return "";
  if (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(value)) return String(value);
  const text = coabench.visible(value);
  const harmless = /^\s*[=+\-@＝＋－＠]/u.test(text) ? `'${text}` : text;
  return /[",;]|^\s|\s$/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
};

coabench.download = (text, name) => {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  coabench.element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
};
