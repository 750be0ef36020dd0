// What a sample opens to: its picture, what each run was asked and answered, and what is known of it.
"use strict";

coabench.MARKS = { right: "✓", wrong: "✗", invalid: "∅", error: "!" };

coabench.sheet = (samples, zoom) => {
  const { element, visible, MARKS } = coabench;
  const { data, string, runs, two } = samples;
  const tone = (run, i) => (run.right(i) ? "good" : "bad");

  return (i) => [pictures(i), two ? beside(i) : chain(runs[0], i), attributes(i)].filter(Boolean);

  function pictures(i) {
    const found = coabench.pictures(samples, i);
    if (!found.length) {
      const why = data.pictured ? "it is not in the data set here, or not the one that the run saw" : "this page was made without --images";
      return element("p", { class: "quiet small" }, `No image: ${why}.`);
    }
    const button = element("button", { type: "button", class: "pictures", title: "Zoom (z)", "aria-keyshortcuts": "z" }, ...found.map(([alt, source]) => element("img", { src: source, alt })));
    button.addEventListener("click", () => zoom(i));
    return button;
  }

  // Two runs beside each other: what each said in the end, then its chain.
  function beside(i) {
    return element("div", { class: "runs" }, ...runs.map((run) => element("section", { "aria-label": `Run ${run.side}` },
      element("h3", { class: "side" }, `${run.side}: ${visible(run.name)}`),
      element("p", { class: "said" },
        element("span", { class: tone(run, i) }, `${MARKS[run.result(i)]} ${visible(run.predicted(i))}`),
        run.sure(i) === null ? "" : ` ${(100 * run.sure(i)).toFixed(1)} %`,
        run.why(i) === null ? "" : ` (${visible(run.why(i))})`),
      chain(run, i))));
  }

  function chain(run, i) {
    const asked = run.turnsOf(i).map((t) => turn(run, t));
    if (!asked.length) return element("p", { class: "quiet" }, "No question of this sample is recorded.");
    return element("div", { class: "turns" }, ...asked);
  }

  function attributes(i) {
    const exemplars = runs.map((run) => string(run.exemplars[i])).find((value) => value !== null) ?? null;
    const known = [["id", data.id[i]], ["image file", string(data.image[i])], ["exemplars", exemplars],
      ["face", string(data.face[i])], ["votes", string(data.votes[i])],
      ...Object.entries(data.attributes).map(([name, values]) => [name.replaceAll("_", " "), string(values[i])])];
    const list = element("dl", { class: "attributes" });
    for (const [name, value] of known) if (value !== null) list.append(element("dt", {}, visible(name)), element("dd", {}, visible(value)));
    return list;
  }

  function turn({ turns }, t) {
    const [name, prompt, ...options] = data.questions[turns.question[t]].map(string);
    const label = string(turns.label[t]);
    const list = element("dl");
    const add = (title, ...value) => list.append(element("dt", {}, title), element("dd", {}, ...value));
    if (prompt) add("Prompt", element("pre", {}, visible(prompt, true)));
    add("Response", element("pre", { class: "response" }, visible(string(turns.response[t]) ?? "", true)));
    if (label === null) add("Read as", element("span", { class: "bad" }, "no label"));
    else add("Read as", element("strong", {}, visible(label)), ` (${visible(string(turns.match[t]) ?? "no rule")})`);
    if (turns.scores[t]) add("Scores", scores(options, turns.scores[t], label));
    else add("Options", visible(options.join(", ")));
    const [prompted, cached, made] = turns.tokens[t];
    if (prompted !== null) add("Tokens", `${prompted} in the prompt, ${cached} of them cached, ${made} generated`);
    return element("div", {}, element(two ? "h4" : "h3", {}, visible(name)), list);
  }

  function scores(options, logs, chosen) {
    const parts = samples.probabilities(logs);
    return element("ul", { class: "scores" }, ...options.map((option, n) => {
      const fill = element("span", { class: "fill" });
      fill.style.width = `${(100 * parts[n]).toFixed(1)}%`;
      return element("li", {},
        element("span", option === chosen ? { class: "chosen" } : {}, visible(option)),
        element("span", { class: "track", "aria-hidden": "true" }, fill),
        element("span", {}, `${(100 * parts[n]).toFixed(1)} %`));
    }));
  }
};

// The pictures of a sample, each with a text for those who do not see it.
coabench.pictures = ({ data }, i) => [["the picture that it was cut out of", data.originals?.[i]], ["the image", data.images?.[i]]]
  .filter(([, source]) => source)
  .map(([what, source]) => [`${coabench.visible(data.id[i])}, ${what}`, source]);

// A dialog with a sample's pictures as large as there is space. It follows the open sample while it is open.
coabench.zoom = (samples) => {
  const { element, visible } = coabench;
  const shown = element("div", { class: "zoomed" });
  const about = element("p", { "aria-live": "polite" });
  const close = element("button", { type: "button" }, "Close");
  const dialog = element("dialog", { class: "zoom", "aria-label": "The image, enlarged" }, shown, about, close);
  close.addEventListener("click", () => dialog.close());
  document.body.append(dialog);

  function show(i) {
    const pictures = coabench.pictures(samples, i).map(([alt, source]) => element("img", { src: source, alt }));
    shown.replaceChildren(...pictures);
    const said = samples.runs.map((run) => `${samples.two ? `${run.side}: ` : "prediction "}${visible(run.predicted(i))} ${coabench.MARKS[run.result(i)]}`);
    about.textContent = [visible(samples.data.id[i]), `label ${visible(samples.string(samples.data.target[i]))}`, ...said, pictures.length ? "" : "no image"].filter(Boolean).join(" · ");
    if (!dialog.open) dialog.showModal();
  }
  return { show, dialog };
};
