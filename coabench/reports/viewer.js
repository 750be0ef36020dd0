// The viewer of samples. Filters, order, page and open sample live in the address, so that a view can be linked, and
// going back in the browser goes back to the view before.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { element, field, visible, MARKS } = coabench;
  const samples = coabench.samples(coabench.data("samples-data"));
  const { data, total, filters, orders, columns } = samples;
  const place = document.getElementById("browser");
  const PAGE = 50;
  const PAUSE = 150; // milliseconds without typing or stepping after which the address follows
  const BY_COLUMN = "by-column";

  let state = { filters: {}, q: "", sort: "", page: 1, open: "" };
  let found = [];
  let settling;

  // ---- the address ----

  function read() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const next = { filters: {}, q: wanted.get("q") || "", sort: wanted.get("sort") || "", page: Math.max(1, parseInt(wanted.get("page"), 10) || 1), open: wanted.get("open") || "" };
    for (const [name, { choices }] of filters) if (choices.includes(wanted.get(name))) next.filters[name] = wanted.get(name);
    return next;
  }

  function address() {
    const wanted = new URLSearchParams(state.filters);
    if (state.q) wanted.set("q", state.q);
    if (state.sort) wanted.set("sort", state.sort);
    if (state.open) wanted.set("open", state.open);
    else if (state.page > 1) wanted.set("page", state.page);
    return `#${wanted.toString() || "samples=all"}`;
  }

  function write() {
    clearTimeout(settling);
    if (address() !== location.hash) history.pushState(null, "", address());
  }

  // Browsers refuse hundreds of addresses in a few seconds, which a key that is held down would make.
  function writeSoon() {
    clearTimeout(settling);
    settling = setTimeout(write, PAUSE);
  }

  // ---- finding ----

  const openAt = () => (state.open ? found.findIndex((i) => data.id[i] === state.open) : -1);

  function search() {
    found = samples.order(samples.fitting(state.filters, state.q), state.sort);
    const at = openAt();
    if (at >= 0) state.page = 1 + Math.floor(at / PAGE);
    state.page = Math.min(state.page, Math.max(1, Math.ceil(found.length / PAGE)));
  }

  // ---- controls ----

  const change = (next) => {
    state = { ...state, page: 1, open: "", ...next };
    search();
    write();
    draw();
  };
  const filter = (name, value) => {
    const { [name]: _, ...others } = state.filters;
    change({ filters: value ? { ...others, [name]: value } : others });
  };
  const button = (text, act, attributes = {}) => {
    const made = element("button", { type: "button", ...attributes }, text);
    made.addEventListener("click", act);
    return made;
  };

  const query = element("input", { type: "search", "aria-keyshortcuts": "/" });
  query.addEventListener("input", () => {
    state = { ...state, q: query.value, page: 1, open: "" };
    writeSoon();
    setTimeout(() => { if (state.q === query.value) { search(); draw(); } }, PAUSE);
  });

  const selects = new Map();
  const tabs = new Map();
  for (const [name, { choices, title, text }] of filters) {
    if (filters.get(name).tabs) {
      const made = [["", "All"], ...choices.map((value) => [value, text(value)])].map(([value, words]) => {
        const count = element("span", { class: "quiet" });
        const tab = button(`${words} `, () => filter(name, value));
        tab.append(count);
        return { value, tab, count };
      });
      tabs.set(name, made);
      place.append(element("div", { class: "tabs", role: "group", "aria-label": title }, ...made.map(({ tab }) => tab)));
    } else {
      const select = element("select", { "data-filter": name });
      select.append(new Option("all", ""), ...choices.map((value) => new Option(visible(value), value)));
      select.addEventListener("input", () => filter(name, select.value));
      selects.set(name, select);
    }
  }
  selects.get("target")?.setAttribute("aria-keyshortcuts", "l");

  const sorting = element("select", { "aria-keyshortcuts": "o" });
  const byColumn = new Option("by a column", BY_COLUMN);
  sorting.append(new Option("as in the data set", ""), ...[...orders].map(([key, { title }]) => new Option(title, key)), byColumn);
  sorting.addEventListener("input", () => change({ sort: sorting.value }));

  const count = element("p", { class: "count", "aria-live": "polite" });
  const where = element("p");
  const turnPage = (step) => { change({ page: state.page + step }); table.scrollIntoView({ block: "start" }); };
  const back = button("Previous", () => turnPage(-1));
  const on = button("Next", () => turnPage(1));
  const reset = () => change({ filters: {}, q: "", sort: "" });
  const save = () => coabench.download(coabench.csv(samples, found), `${samples.runs.map((run) => run.name).join("-against-")}-samples.csv`);

  const headings = columns.map((column) => {
    const heading = element("th", { scope: "col", ...(column.number ? { class: "number" } : {}) });
    if (!column.key) heading.append(column.title);
    else heading.append(button(column.title, () => change({ sort: state.sort === column.key ? `-${column.key}` : column.key }), { class: "sort" }));
    return heading;
  });

  // ---- drawing ----

  const body = element("tbody");
  let drawn = []; // the samples of the page, and
  let rows = []; // their rows

  function draw() {
    for (const [name, select] of selects) select.value = state.filters[name] || "";
    for (const [name, made] of tabs) drawTabs(name, made);
    if (document.activeElement !== query) query.value = state.q;
    const [, falling, key] = /^(-?)(.*)$/.exec(state.sort);
    const column = orders.has(state.sort) ? -1 : columns.findIndex((c) => c.key && c.key === key);
    headings.forEach((heading, c) => {
      if (c === column) heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    byColumn.hidden = column < 0;
    sorting.value = column < 0 ? (orders.has(state.sort) ? state.sort : "") : BY_COLUMN;
    const start = (state.page - 1) * PAGE;
    const shown = found.slice(start, start + PAGE);
    if (shown.length !== drawn.length || shown.some((i, n) => i !== drawn[n])) {
      drawn = shown;
      rows = shown.map(row);
      body.replaceChildren(...rows);
    }
    drawOpen();
    const whole = total.toLocaleString("en");
    count.textContent = found.length === total ? `${whole} samples` : `${found.length.toLocaleString("en")} of ${whole} samples`;
    where.textContent = shown.length ? `${(start + 1).toLocaleString("en")} to ${(start + shown.length).toLocaleString("en")}` : "";
    back.disabled = state.page === 1;
    on.disabled = start + PAGE >= found.length;
  }

  // How many samples each tab would show beside the other filters.
  function drawTabs(name, made) {
    const { [name]: chosen = "", ...others } = state.filters;
    const among = samples.fitting(others, state.q);
    for (const { value, tab, count: number } of made) {
      number.textContent = (value ? among.filter((i) => filters.get(name).fits(i, value)).length : among.length).toLocaleString("en");
      tab.setAttribute("aria-pressed", String(value === chosen));
    }
  }

  function row(i) {
    const cells = columns.map(({ key, number, of, text, pictures, result, marked }) => {
      const cell = element("td", number ? { class: "number" } : key ? { class: key } : {});
      if (pictures) { if (pictures[i]) cell.append(element("img", { src: pictures[i], alt: "" })); return cell; }
      const value = of(i);
      const run = result || marked;
      if (key === "id") cell.append(button(visible(value.slice(samples.prefix.length)), () => open(value === state.open ? "" : value), { class: "toggle", "aria-expanded": "false" }));
      else if (run) cell.append(element("span", { class: run.right(i) ? "good" : "bad" }, `${MARKS[run.result(i)]} ${visible(value)}${result && run.why(i) !== null ? `: ${visible(run.why(i))}` : ""}`));
      else cell.append(value === null ? "–" : text ? text(value) : visible(value));
      return cell;
    });
    return element("tr", { class: "sample" }, ...cells);
  }

  // One sample is open at a time: the one in the address.
  function drawOpen() {
    const before = body.querySelector("tr.details");
    before?.previousElementSibling.querySelector(".toggle").setAttribute("aria-expanded", "false");
    before?.remove();
    const at = openAt();
    missing.hidden = !state.open || at >= 0;
    missing.textContent = missing.hidden ? "" : `The sample ${visible(state.open)} is not in this view.`;
    if (at < 0) return null;
    const opened = rows[at - (state.page - 1) * PAGE];
    opened.querySelector(".toggle").setAttribute("aria-expanded", "true");
    const place = element("span", {}, `Sample ${(at + 1).toLocaleString("en")} of ${found.length.toLocaleString("en")}, label `, element("strong", {}, visible(samples.string(data.target[found[at]]))));
    const bar = element("p", { class: "bar small" }, button("‹ Previous", () => step(-1), { "aria-keyshortcuts": "k" }), button("Next ›", () => step(1), { "aria-keyshortcuts": "j" }), place);
    opened.after(element("tr", { class: "details" }, element("td", { colspan: columns.length }, element("div", { class: "sheet" }, bar, ...sheet(found[at])))));
    return opened;
  }

  // ---- the open sample ----

  const zoom = coabench.zoom(samples);
  const sheet = coabench.sheet(samples, zoom.show);
  const missing = element("p", { class: "bad", role: "status", hidden: "" });

  function open(id) {
    state = { ...state, open: id };
    write();
    drawOpen();
  }

  function step(by) {
    const at = openAt();
    const next = at < 0 ? (state.page - 1) * PAGE : at + by;
    if (!(next in found)) return;
    state = { ...state, open: data.id[found[next]], page: 1 + Math.floor(next / PAGE) };
    writeSoon();
    draw();
    show(!zoom.dialog.open);
    if (zoom.dialog.open) zoom.show(found[next]);
  }

  function show(focus) {
    const toggle = body.querySelector('.toggle[aria-expanded="true"]');
    if (focus) toggle?.focus({ preventScroll: true });
    toggle?.closest("tr").scrollIntoView({ block: "start" });
    return toggle;
  }

  function enlarge() {
    if (openAt() < 0) step(1);
    const at = openAt();
    if (at >= 0) zoom.show(found[at]);
  }

  // ---- putting it together ----

  const table = element("table", {},
    element("caption", { class: "visually-hidden" }, "Samples; a sample opens to what was asked and answered"),
    element("thead", {}, element("tr", {}, ...headings)), body);
  const list = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Samples" }, table);
  const help = coabench.keys([
    ["j", "next sample; the first one, where none is open", () => step(1)],
    ["k", "previous sample", () => step(-1)],
    ["z", "zoom into its image", enlarge],
    ["l", "to the labels: type the beginning of one to choose it", () => selects.get("target")?.focus()],
    ["o", "to the orders: most confident mistakes, closest decisions …", () => sorting.focus()],
    ...[...tabs.values()].map((made) => ["1", made.map(({ tab }) => tab.firstChild.textContent.trim()).join(", "), (n) => made[n - 1].tab.click(), made.length]),
    ["/", "to the search", () => query.focus()],
    ["c", "save this view as CSV", save],
    ["x", "show all samples in the order of the data set", reset],
  ], {
    leave: (control) => { if (place.contains(control)) list.focus(); }, // a list of choices or the search
    close: () => {
      const toggle = show(false);
      open("");
      toggle?.focus({ preventScroll: true });
    },
  });
  place.append(
    element("div", { class: "controls" },
      field("Search ids and responses", query),
      ...[...selects].map(([name, select]) => field(filters.get(name).title, select)),
      ...(orders.size ? [field("Order", sorting)] : []),
      button("Show all", reset, { "aria-keyshortcuts": "x" }),
      button("CSV of this view", save, { "aria-keyshortcuts": "c" }),
      help, count),
    missing, list,
    element("div", { class: "pages" }, back, on, where));

  function follow() {
    const linked = location.hash.includes("=");
    clearTimeout(settling);
    if (linked || !location.hash) state = read();
    search();
    draw();
    if (linked && !show(false)) document.getElementById("samples").scrollIntoView({ block: "start" });
  }
  addEventListener("hashchange", follow);
  follow();
});
