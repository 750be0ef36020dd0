// The samples of a page as its viewer takes them: what is known of each, what one run or two said, filters and orders.
"use strict";

coabench.samples = (data) => {
  const { visible } = coabench;
  const INVALID = "INVALID";
  const RESULTS = ["right", "wrong", "invalid", "error"];
  const total = data.id.length;
  const string = (number) => (number < 0 ? null : data.strings[number]);
  const unique = (values) => [...new Set(values)];
  const naturally = (a, b) => a.localeCompare(b, "en", { numeric: true });
  const runs = data.runs.map(answers);
  const two = runs.length === 2;
  // The key of a run's filter, column or order: "prediction", and of two runs "a-prediction" and "b-prediction".
  const keyed = (run, key) => (two ? `${run.side.toLowerCase()}-${key}` : key);
  const titled = (run, title) => (two ? `${run.side}: ${title.toLowerCase()}` : title);

  // What a run said: functions of a sample's number. Turns are numbered over all samples, from first[i] to first[i + 1].
  function answers(run, place) {
    const { turns, confidence } = run;
    const first = [0];
    for (const n of run.asked) first.push(first.at(-1) + n);
    const result = (i) => {
      if (run.status[i] > 0) return RESULTS[run.status[i] + 1];
      return run.prediction[i] === data.target[i] ? "right" : "wrong";
    };
    const turnsOf = (i) => Array.from({ length: run.asked[i] }, (_, n) => first[i] + n);
    let margins = null;
    return {
      ...run,
      side: "AB"[place],
      first,
      result,
      turnsOf,
      right: (i) => result(i) === "right",
      why: (i) => (run.status[i] > 0 ? string(run.reason[i]) : null),
      predicted: (i) => (run.status[i] === 0 && run.prediction[i] >= 0 ? string(run.prediction[i]) : INVALID),
      sure: (i) => confidence[i],
      answerTo: (i, name) => {
        const asked = turnsOf(i).find((t) => data.questions[turns.question[t]][0] === name);
        return asked === undefined || turns.label[asked] < 0 ? INVALID : string(turns.label[asked]);
      },
      // The smallest lead of a first option over a second, in probability, over the questions of a sample.
      margin: (i) => {
        margins ??= Array.from({ length: total }, (_, j) => least(turnsOf(j).map((t) => lead(turns.scores[t]))));
        return margins[i];
      },
      scored: turns.scores.some((scores) => scores !== null),
      confident: confidence.some((value) => value !== null),
      timed: run.seconds.some((value) => value !== null),
      names: unique(turns.question.map((q) => data.questions[q][0])),
    };
  }

  // Log-probabilities of options (null: none) as probabilities that sum to 1.
  function probabilities(logs) {
    const most = Math.max(...logs.filter((log) => log !== null));
    const weights = logs.map((log) => (log === null ? 0 : Math.exp(log - most)));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
  }

  function lead(logs) {
    if (!logs || logs.length < 2) return null;
    const [first, second] = probabilities(logs).sort((a, b) => b - a);
    return first - second;
  }

  function least(values) {
    const known = values.filter((value) => value !== null);
    return known.length ? Math.round(1e4 * Math.min(...known)) / 1e4 : null;
  }

  // ---- what can be filtered by: name in the address -> title, choices, and the sample's value ----

  const names = data.names.map(string);
  const filters = new Map([["target", { title: "Label", choices: names, of: (i) => string(data.target[i]) }]]);

  const differ = (i) => runs[0].predicted(i) !== runs[1].predicted(i);
  const OUTCOMES = {
    "only-a": ["Only A right", (i) => runs[0].right(i) && !runs[1].right(i)],
    "only-b": ["Only B right", (i) => !runs[0].right(i) && runs[1].right(i)],
    "both-wrong": ["Both wrong", (i) => !runs[0].right(i) && !runs[1].right(i)],
    "both-right": ["Both right", (i) => runs[0].right(i) && runs[1].right(i)],
    differ: ["Answers differ", differ],
  };
  if (two) {
    filters.set("outcome", { title: "Outcome", choices: Object.keys(OUTCOMES), text: (value) => OUTCOMES[value][0], fits: (i, wanted) => OUTCOMES[wanted][1](i), tabs: true });
  }
  for (const run of runs) filters.set(keyed(run, "prediction"), { title: titled(run, "Prediction"), choices: [...names, INVALID], of: run.predicted });
  if (!two) {
    const [run] = runs;
    filters.set("status", { title: "Result", choices: RESULTS, of: run.result });
    filters.set("reason", { title: "Reason", choices: unique(run.reason.filter((r, i) => r >= 0 && run.status[i] === 1)).map(string).sort(), of: (i) => string(run.reason[i]) });
    for (const name of run.names.length > 1 ? run.names : []) {
      const title = string(name);
      if (filters.has(title)) continue;
      const options = data.questions.filter((q) => q[0] === name).flatMap((q) => q.slice(2));
      filters.set(title, { title: `Answer: ${visible(title)}`, choices: [...unique(options).map(string), INVALID], of: (i) => run.answerTo(i, name) });
    }
  }
  if (data.groups.length) {
    const choices = data.groups.flatMap((name) => unique(data.attributes[name]).filter((v) => v >= 0).map((v) => `${name}: ${string(v)}`).sort(naturally));
    filters.set("group", { title: "Group", choices, fits: (i, wanted) => data.groups.some((name) => data.attributes[name][i] >= 0 && `${name}: ${string(data.attributes[name][i])}` === wanted) });
  }
  for (const [name, { choices }] of filters) if (!choices.length) filters.delete(name);

  // ---- orders that no column has: key in the address -> title, and the number to sort by, smallest first ----

  const orders = new Map();
  const mistakes = (run) => (i) => (run.sure(i) === null ? null : run.right(i) ? 1 + run.sure(i) : -run.sure(i));
  const of = (run) => (two ? ` of ${run.side}` : "");
  if (two && runs.every((run) => run.confident)) {
    const both = (i) => (runs.some((run) => run.sure(i) === null) ? null : Math.min(...runs.map((run) => run.sure(i))));
    orders.set("disagreements", { title: "most confident disagreements first", of: (i) => (both(i) === null ? null : differ(i) ? -both(i) : 1 + both(i)) });
  }
  for (const run of runs) if (run.confident) orders.set(keyed(run, "mistakes"), { title: `most confident mistakes${of(run)} first`, of: mistakes(run) });
  for (const run of runs) if (run.scored) orders.set(keyed(run, "closest"), { title: `closest decisions${of(run)} first`, of: run.margin });

  // ---- columns ----

  // What all ids begin with, up to a slash, stands once above the table.
  const space = /^.*\//.exec(data.id[0])?.[0] ?? "";
  const prefix = data.id.every((id) => id.startsWith(space)) ? space : "";
  const columns = [
    ...(data.originals ? [{ title: "Picture", pictures: data.originals }] : []),
    ...(data.images ? [{ title: data.originals ? "Face" : "Image", pictures: data.images }] : []),
    { key: "id", title: prefix ? `Sample in ${visible(prefix)}` : "Sample", of: (i) => data.id[i] },
    { key: "target", title: "Label", of: (i) => string(data.target[i]) },
    ...runs.flatMap((run) => [
      { key: keyed(run, "prediction"), title: two ? run.side : "Prediction", of: run.predicted, marked: two && run },
      ...(two ? [] : [{ key: "status", title: "Result", of: run.result, result: run }]),
      ...(run.confident ? [{ key: keyed(run, "confidence"), title: titled(run, "Confidence"), number: true, of: run.sure, text: (value) => `${(100 * value).toFixed(1)} %` }] : []),
      ...(run.timed && !two ? [{ key: "seconds", title: "Seconds", number: true, of: (i) => run.seconds[i], text: (value) => value.toPrecision(3) }] : []),
    ]),
  ];

  // ---- finding ----

  const indices = Array.from({ length: total }, (_, i) => i);
  let lowered = null;

  function holding(words) {
    lowered ??= data.strings.map((text) => text.toLowerCase());
    const texts = lowered.map((text) => text.includes(words));
    return (i) => data.id[i].toLowerCase().includes(words) || runs.some((run) => run.turnsOf(i).some((t) => texts[run.turns.response[t]]));
  }

  // The samples that have the wanted values (name of a filter -> value) and hold the words in their id or a response.
  function fitting(wanted, words) {
    const tests = Object.entries(wanted).map(([name, value]) => {
      const { of, fits } = filters.get(name);
      return fits ? (i) => fits(i, value) : (i) => of(i) === value;
    });
    const searched = words.trim().toLowerCase();
    if (searched) tests.push(holding(searched));
    return indices.filter((i) => tests.every((fits) => fits(i)));
  }

  // Sorts a list of samples by an order, or by a column, "-" before its key for the other way; what has no value is last.
  function order(list, sort) {
    const [, falling, key] = /^(-?)(.*)$/.exec(sort);
    const column = columns.find((c) => c.key && c.key === key);
    const by = orders.get(sort) ?? column;
    if (!by) return list;
    const sign = by === column && falling ? -1 : 1;
    const compare = by === column && !by.number ? new Intl.Collator("en", { numeric: true }).compare : (a, b) => a - b;
    const keys = new Map(list.map((i) => [i, by.of(i)]));
    return list.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * compare(x, y);
    });
  }

  return { data, total, string, runs, two, keyed, filters, orders, columns, prefix, probabilities, fitting, order };
};
