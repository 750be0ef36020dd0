// What was answered at the cursor: a card for each face, made anew only where its answer is another.
"use strict";

coabench.answers = (session, differences) => {
  const { element, visible } = coabench;
  const { answers, turns, questions, string, lines } = session;
  const place = document.getElementById("now");
  const cards = new Map(); // of the answers that are shown
  let shown = null;

  function scores(t) {
    const logs = turns.scores[t];
    const options = questions[turns.question[t]].slice(2).map(string);
    const most = logs.reduce((a, b) => (b === null ? a : Math.max(a, b)), -Infinity);
    const weights = logs.map((log) => (log === null ? 0 : Math.exp(log - most)));
    const sum = weights.reduce((a, b) => a + b, 0);
    return element("ul", { class: "scores" }, ...options.map((option, n) => {
      const part = sum ? weights[n] / sum : 0;
      const fill = element("span", { class: "fill" });
      fill.style.width = `${(100 * part).toFixed(1)}%`;
      const name = element("span", option === string(turns.label[t]) ? { class: "chosen" } : {}, visible(option));
      return element("li", {}, name, element("span", { class: "track", "aria-hidden": "true" }, fill), element("span", {}, `${(100 * part).toFixed(0)} %`));
    }));
  }

  function card(line, i) {
    const { colour, ink } = session.colour(line.face);
    const chip = element("span", { class: "chip" }, String(session.faces[line.face]));
    chip.style.background = colour;
    chip.style.color = ink;
    const labelled = answers.label[i] >= 0;
    const sure = answers.confidence[i] === null ? [] : [element("small", {}, ` ${(100 * answers.confidence[i]).toFixed(0)} %`)];
    const label = element("p", { class: "label" }, visible(labelled ? string(answers.label[i]) : `no label: ${string(answers.why[i]) ?? ""}`), ...(labelled ? sure : []));
    const who = [session.answerers.length > 1 ? session.answerers[line.answerer] : null, string(answers.strategy[i]), string(answers.file[i])].filter(Boolean).map((text) => visible(text)).join(" · ");
    const taken = answers.seconds[i] === null ? "" : ` · ${(1000 * answers.seconds[i]).toFixed(0)} ms`;
    const parts = [element("p", { class: "who" }, "Face ", chip, ` · ${who}${who ? " · " : ""}of ${session.clock(answers.time[i])}${taken}`), label];
    if (string(answers.smoothed[i]) !== null) parts.push(element("p", { class: "vote" }, `smoothed: ${visible(string(answers.smoothed[i]))}`));
    if (differences.words(i)) parts.push(element("p", { class: differences.differs(i) ? "vote differs" : "vote" }, `${differences.differs(i) ? "≠" : "="} ${differences.words(i)}`));
    const picture = session.thumbnail(line, i);
    if (picture) parts.push(element("img", { src: picture, alt: "" }));
    const list = element("dl", { class: "turns" });
    session.turnsOf(i).forEach((t, n) => {
      const [name] = questions[turns.question[t]];
      const read = turns.label[t] < 0 ? "no option" : visible(string(turns.label[t]));
      const response = string(turns.response[t]) ?? "";
      const said = !response || response.trim() === string(turns.label[t]) ? [] : [element("span", { class: "quiet" }, ` (“${visible(response.length > 160 ? `${response.slice(0, 160)}…` : response)}”)`)];
      list.append(element("dt", {}, `${n + 1} ${visible(string(name))}`), element("dd", {}, element("strong", {}, read), ...said, ...(turns.scores[t] ? [scores(t)] : [])));
    });
    parts.push(list);
    const made = element("div", { class: labelled ? "card" : "card none" }, ...parts);
    made.style.borderLeftColor = colour;
    return made;
  }

  return {
    show(time) {
      const now = lines.map((line) => [line, session.at(line, time)]).filter(([, i]) => i >= 0);
      const gap = session.gapAt(time);
      const key = `${now.map(([, i]) => i).join()} ${gap}`;
      if (key === shown) return;
      shown = key;
      const before = new Map(cards);
      cards.clear();
      for (const [line, i] of now) cards.set(i, before.get(i) ?? card(line, i));
      place.replaceChildren(...cards.values());
      if (gap !== null) place.prepend(element("p", { class: "quiet" }, `The camera gave no frames at this time: ${visible(gap)}.`));
      else if (!now.length) place.append(element("p", { class: "quiet" }, session.total ? "No answer stands at this time." : "The log holds no answers."));
    },
    // The same in a sentence.
    words: (time) => lines.map((line) => [line, session.at(line, time)]).filter(([, i]) => i >= 0)
      .map(([line, i]) => `Face ${session.faces[line.face]}: ${answers.label[i] < 0 ? "no label" : visible(string(answers.label[i]))}${differences.differs(i) ? `, ${differences.words(i)}` : ""}`).join(", "),
    rows() {
      const names = session.turnNames;
      const head = ["time", "face", "answerer", "frame", "prediction", "status", "reason", "confidence", "smoothed", "seconds", "strategy", "file", "left", "top", "right", "bottom", ...(differences.several ? ["compared"] : []), ...names.map((name) => `answer to ${string(name)}`)];
      const body = answers.time.map((time, i) => [time, session.faces[answers.face[i]], session.answerers[answers.answerer[i]], answers.frame[i], string(answers.label[i]), string(answers.status[i]), string(answers.reason[i]),
        answers.confidence[i], string(answers.smoothed[i]), answers.seconds[i], string(answers.strategy[i]), string(answers.file[i]), ...answers.box[i], ...(differences.several ? [differences.words(i)] : []),
        ...names.map((name) => { const t = session.turnOf(i, name); return t < 0 ? null : string(turns.label[t]); })]);
      return [head, ...body];
    },
  };
};
