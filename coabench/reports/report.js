// The browser of samples: filters, order and page live in the address, so that a view can be linked.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { element, field, visible } = coabench;
  const data = coabench.data("samples-data");
  const place = document.getElementById("browser");
  const PAGE = 50;
  const INVALID = "INVALID";
  const RESULTS = ["right", "wrong", "invalid", "error"];
  const total = data.id.length;
  const { strings, turns } = data;
  const string = (number) => (number < 0 ? null : strings[number]);
  const first = [0];
  for (const n of data.asked) first.push(first.at(-1) + n);

  const result = (i) => {
    if (data.status[i] > 0) return RESULTS[data.status[i] + 1];
    return data.prediction[i] === data.target[i] ? "right" : "wrong";
  };
  const turnNames = [...new Set(data.questions.map(([name]) => name))];
  const answerTo = (i, name) => {
    for (let t = first[i]; t < first[i + 1]; t += 1) {
      if (data.questions[turns.question[t]][0] === name) return turns.label[t] < 0 ? INVALID : strings[turns.label[t]];
    }
    return INVALID;
  };
  const predicted = (i) => (data.status[i] === 0 && data.prediction[i] >= 0 ? strings[data.prediction[i]] : INVALID);
  // What all ids begin with, up to a slash, stands once above the table.
  const space = /^.*\//.exec(data.id[0])?.[0] ?? "";
  const prefix = data.id.every((id) => id.startsWith(space)) ? space : "";
  const unique = (values) => [...new Set(values)];
  const indices = Array.from({ length: total }, (_, i) => i);

  // What can be filtered by: name in the address -> title, choices, and the sample's value.
  const names = data.names.map(string);
  const filters = new Map([
    ["target", { title: "Label", choices: names, of: (i) => string(data.target[i]) }],
    ["prediction", { title: "Prediction", choices: [...names, INVALID], of: predicted }],
    ["status", { title: "Result", choices: RESULTS, of: result }],
    ["reason", { title: "Reason", choices: unique(data.reason.filter((r, i) => r >= 0 && data.status[i] === 1)).map(string).sort(), of: (i) => string(data.reason[i]) }],
  ]);
  if (turnNames.length > 1) {
    for (const name of turnNames) {
      const title = string(name);
      if (filters.has(title)) continue;
      const options = data.questions.filter((q) => q[0] === name).flatMap((q) => q.slice(2));
      filters.set(title, { title: `Answer: ${visible(title)}`, choices: [...unique(options).map(string), INVALID], of: (i) => answerTo(i, name) });
    }
  }
  if (data.groups.length) {
    const choices = data.groups.flatMap((name) => unique(data.attributes[name]).filter((v) => v >= 0)
      .map((v) => `${name}: ${string(v)}`).sort((a, b) => a.localeCompare(b, "en", { numeric: true })));
    filters.set("group", { title: "Group", choices, fits: (i, wanted) => data.groups.some((name) => data.attributes[name][i] >= 0 && `${name}: ${string(data.attributes[name][i])}` === wanted) });
  }
  for (const [name, { choices }] of filters) if (!choices.length) filters.delete(name);

  const sure = data.confidence.some((value) => value !== null);
  const timed = data.seconds.some((value) => value !== null);
  const columns = [
    ...(data.originals ? [{ title: "Picture", pictures: data.originals }] : []),
    ...(data.images ? [{ title: data.originals ? "Face" : "Image", pictures: data.images }] : []),
    { key: "id", title: prefix ? `Sample in ${visible(prefix)}` : "Sample", of: (i) => data.id[i] },
    { key: "target", title: "Label", of: (i) => string(data.target[i]) },
    { key: "prediction", title: "Prediction", of: predicted },
    { key: "status", title: "Result", of: result },
    ...(sure ? [{ key: "confidence", title: "Confidence", number: true, of: (i) => data.confidence[i] }] : []),
    ...(timed ? [{ key: "seconds", title: "Seconds", number: true, of: (i) => data.seconds[i] }] : []),
  ];

  let state = { filters: {}, q: "", sort: "", page: 1 };
  let found = indices;

  // ---- the address ----

  function read() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const next = { filters: {}, q: wanted.get("q") || "", sort: wanted.get("sort") || "", page: Math.max(1, parseInt(wanted.get("page"), 10) || 1) };
    for (const [name, { choices }] of filters) if (choices.includes(wanted.get(name))) next.filters[name] = wanted.get(name);
    return next;
  }

  function write() {
    const wanted = new URLSearchParams(state.filters);
    if (state.q) wanted.set("q", state.q);
    if (state.sort) wanted.set("sort", state.sort);
    if (state.page > 1) wanted.set("page", state.page);
    history.replaceState(null, "", `#${wanted.toString() || "samples"}`);
  }

  // ---- finding ----

  let lowered = null;
  function search() {
    const wanted = Object.entries(state.filters).map(([name, value]) => {
      const { of, fits } = filters.get(name);
      return fits ? (i) => fits(i, value) : (i) => of(i) === value;
    });
    const words = state.q.trim().toLowerCase();
    if (words) {
      lowered = lowered || strings.map((text) => text.toLowerCase());
      const holds = lowered.map((text) => text.includes(words));
      wanted.push((i) => {
        if (data.id[i].toLowerCase().includes(words)) return true;
        for (let t = first[i]; t < first[i + 1]; t += 1) if (holds[turns.response[t]]) return true;
        return false;
      });
    }
    found = wanted.length ? indices.filter((i) => wanted.every((fits) => fits(i))) : indices.slice();
    const [, falling, key] = /^(-?)(.*)$/.exec(state.sort);
    const column = columns.find((c) => c.key && c.key === key);
    if (column) {
      const sign = falling ? -1 : 1;
      const compare = column.number ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
      const keys = new Map(found.map((i) => [i, column.of(i)]));
      found.sort((a, b) => {
        const [x, y] = [keys.get(a), keys.get(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * compare(x, y);
      });
    }
    state.page = Math.min(state.page, Math.max(1, Math.ceil(found.length / PAGE)));
  }

  // ---- drawing ----

  const body = element("tbody");
  const count = element("p", { class: "count", "aria-live": "polite" });
  const where = element("p");
  const back = element("button", { type: "button" }, "Previous");
  const on = element("button", { type: "button" }, "Next");
  const query = element("input", { type: "search" });
  const selects = new Map([...filters].map(([name, { choices }]) => {
    const select = element("select", { "data-filter": name });
    select.append(new Option("all", ""), ...choices.map((value) => new Option(visible(value), value)));
    return [name, select];
  }));
  const reset = element("button", { type: "button" }, "Show all");
  const headings = columns.map((column) => {
    const heading = element("th", { scope: "col", ...(column.number ? { class: "number" } : {}) });
    if (!column.key) { heading.append(column.title); return heading; }
    const button = element("button", { type: "button", class: "sort" }, column.title);
    button.addEventListener("click", () => {
      state.sort = state.sort === column.key ? `-${column.key}` : column.key;
      state.page = 1;
      changed();
    });
    heading.append(button);
    return heading;
  });

  function changed() {
    search();
    write();
    draw();
  }

  function draw() {
    for (const [name, select] of selects) select.value = state.filters[name] || "";
    query.value = state.q;
    headings.forEach((heading, c) => {
      const { key } = columns[c];
      if (key && state.sort === key) heading.setAttribute("aria-sort", "ascending");
      else if (key && state.sort === `-${key}`) heading.setAttribute("aria-sort", "descending");
      else heading.removeAttribute("aria-sort");
    });
    const start = (state.page - 1) * PAGE;
    const shown = found.slice(start, start + PAGE);
    body.replaceChildren(...shown.map(row));
    const whole = total.toLocaleString("en");
    count.textContent = found.length === total ? `${whole} samples` : `${found.length.toLocaleString("en")} of ${whole} samples`;
    where.textContent = shown.length ? `${(start + 1).toLocaleString("en")} to ${(start + shown.length).toLocaleString("en")}` : "";
    back.disabled = state.page === 1;
    on.disabled = start + PAGE >= found.length;
  }

  const image = (source) => element("img", { src: source, alt: "" });

  function row(i) {
    const toggle = element("button", { type: "button", class: "toggle", "aria-expanded": "false" }, visible(data.id[i].slice(prefix.length)));
    const outcome = result(i);
    const cells = columns.map(({ key, number, of, pictures }) => {
      const cell = element("td", number ? { class: "number" } : key ? { class: key } : {});
      if (key === undefined) { if (pictures[i]) cell.append(image(pictures[i])); }
      else if (key === "id") cell.append(toggle);
      else if (key === "status") {
        const why = data.status[i] > 0 && data.reason[i] >= 0 ? `: ${visible(string(data.reason[i]))}` : "";
        cell.append(element("span", { class: outcome === "right" ? "good" : "bad" }, { right: "✓ ", wrong: "✗ ", invalid: "∅ ", error: "! " }[outcome], outcome + why));
      } else if (key === "confidence") cell.append(of(i) === null ? "–" : `${(100 * of(i)).toFixed(1)} %`);
      else if (key === "seconds") cell.append(of(i) === null ? "–" : of(i).toPrecision(3));
      else cell.append(visible(of(i)));
      return cell;
    });
    const made = element("tr", { class: "sample" }, ...cells);
    toggle.addEventListener("click", () => {
      const open = toggle.getAttribute("aria-expanded") === "true";
      toggle.setAttribute("aria-expanded", String(!open));
      if (open) made.nextElementSibling.remove();
      else made.after(element("tr", { class: "details" }, element("td", { colspan: columns.length }, element("div", { class: "sheet" }, ...details(i)))));
    });
    return made;
  }

  function details(i) {
    const parts = [];
    const pictures = [data.originals, data.images].map((all) => all?.[i]).filter(Boolean);
    if (pictures.length) parts.push(element("div", { class: "pictures" }, ...pictures.map(image)));
    const asked = element("div", { class: "turns" });
    for (let t = first[i]; t < first[i + 1]; t += 1) asked.append(turn(t));
    if (!asked.childNodes.length) parts.push(element("p", { class: "quiet" }, "Nothing was asked about this sample."));
    parts.push(asked);
    const known = [["id", data.id[i]], ["image file", string(data.image[i])], ["exemplars", string(data.exemplars[i])],
      ["face", string(data.face[i])], ["votes", string(data.votes[i])],
      ...Object.entries(data.attributes).map(([name, values]) => [name.replaceAll("_", " "), string(values[i])])];
    const list = element("dl", { class: "attributes" });
    for (const [name, value] of known) if (value !== null) list.append(element("dt", {}, visible(name)), element("dd", {}, visible(value)));
    if (list.childNodes.length) parts.push(list);
    return parts;
  }

  function turn(t) {
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
    return element("div", {}, element("h4", {}, visible(name)), list);
  }

  // Probabilities made to sum to 1 over the options.
  function scores(options, logs, chosen) {
    const most = Math.max(...logs.filter((log) => log !== null));
    const weights = logs.map((log) => (log === null ? 0 : Math.exp(log - most)));
    const sum = weights.reduce((a, b) => a + b, 0);
    return element("ul", { class: "scores" }, ...options.map((option, n) => {
      const part = weights[n] / sum;
      const fill = element("span", { class: "fill" });
      fill.style.width = `${(100 * part).toFixed(1)}%`;
      return element("li", {},
        element("span", option === chosen ? { class: "chosen" } : {}, visible(option)),
        element("span", { class: "track", "aria-hidden": "true" }, fill),
        element("span", {}, `${(100 * part).toFixed(1)} %`));
    }));
  }

  // ---- putting it together ----

  for (const [name, select] of selects) {
    select.addEventListener("input", () => {
      if (select.value) state.filters[name] = select.value;
      else delete state.filters[name];
      state.page = 1;
      changed();
    });
  }
  let typing;
  query.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => { state.q = query.value; state.page = 1; changed(); }, 150);
  });
  const turnPage = (step) => { state.page += step; changed(); table.scrollIntoView({ block: "start" }); };
  back.addEventListener("click", () => turnPage(-1));
  on.addEventListener("click", () => turnPage(1));
  reset.addEventListener("click", () => { state = { filters: {}, q: "", sort: "", page: 1 }; changed(); });

  const table = element("table", {},
    element("caption", { class: "visually-hidden" }, "Samples; a sample opens to what was asked and answered"),
    element("thead", {}, element("tr", {}, ...headings)), body);
  place.append(
    element("div", { class: "controls" },
      field("Search ids and responses", query),
      ...[...selects].map(([name, select]) => field(filters.get(name).title, select)),
      reset, count),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Samples" }, table),
    element("div", { class: "pages" }, back, on, where));

  function show() {
    const linked = location.hash.includes("=");
    if (linked) state = read();
    search();
    draw();
    if (linked) document.getElementById("samples").scrollIntoView({ block: "start" });
  }
  addEventListener("hashchange", show);
  show();
});
