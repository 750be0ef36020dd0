// Several answerers about the same face, side by side: their lines, their agreement, and the options of each question.
"use strict";

coabench.beside = ({ element, visible, percent, named }) => {
  const shown = (said) => (said.smoothed ? visible(said.smoothed) : named(said));
  const mark = (said) => (said.differs ? "≠" : "=");

  // What a plate in the picture says of the others: a mark in its first line, where nothing else has room, and a line each.
  function pieces(face) {
    const others = face.beside.filter(({ outcome }) => outcome !== null);
    const differing = others.filter(({ differs }) => differs).map(({ name }) => name);
    return {
      first: differing.length ? [{ text: `  ≠ ${differing.join(" ")}`, bold: true, ink: "notice" }] : [],
      lines: others.map((said) => [
        { text: `${said.name} ${mark(said)} `, ink: said.differs ? "notice" : "quiet" },
        { text: shown(said), ink: said.label === null ? "notice" : "text" },
      ]),
    };
  }

  // The same in a card: a list of the others, whose marks have words.
  function list(face) {
    return element("ul", { class: "beside" }, ...face.beside.map((said) => element("li", said.differs ? { class: "differs" } : {},
      element("span", { class: "name" }, said.name), " ",
      ...(said.outcome === null ? ["asking …"] : [
        element("span", { class: "mark-of", role: "img", "aria-label": said.differs ? "differs: " : "agrees: " }, mark(said)), " ",
        element("b", {}, shown(said)), " ",
        element("span", { class: "quiet" }, said.confidence === null || said.label === null || said.smoothed ? "" : percent(said.confidence)),
        element("span", { class: "quiet small" }, said.turns.length > 1 ? ` ${said.turns.map((turn) => visible(turn.label ?? "no label")).join(" → ")}` : ""),
      ]))));
  }

  // A bar for each option of each question, the likeliest first.
  function bars(turns) {
    if (!turns.some(({ options }) => options)) return [element("p", { class: "quiet small" }, "No scores of options: the model answers in words. --decode score weighs them all.")];
    return turns.map((turn, number) => (turn.options === null
      ? element("p", { class: "quiet small" }, `${number + 1} ${visible(turn.name)}: answered in words, without scores of its options`)
      : element("div", { class: "options" },
        element("p", { class: "name" }, `${number + 1} ${visible(turn.name)}`),
        element("ul", {}, ...turn.options.map(([option, part]) => {
          const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("span", {}));
          bar.firstChild.style.setProperty("--part", part);
          return element("li", option === turn.label ? { class: "chosen" } : {}, element("span", {}, visible(option)), bar,
            element("span", { class: "number" }, percent(part)));
        })))));
  }

  // The share of looks in which each pair agrees.
  function showAgreements(node, agreements) {
    const said = JSON.stringify(agreements);
    if (node.dataset.shown === said) return;
    node.dataset.shown = said;
    node.hidden = !agreements.length;
    node.lastElementChild.replaceChildren(...agreements.map(({ first, second, looks, agreed }) => element("li", {},
      element("b", {}, `${first} = ${second}`), " ", looks ? `${percent(agreed / looks)} ` : "– ",
      element("span", { class: "quiet" }, looks ? `${agreed.toLocaleString("en")} of ${looks.toLocaleString("en")} looks` : "no look yet"))));
  }

  return { pieces, list, bars, showAgreements };
};
