// What every page can do: a theme, tables that sort and filter. Text from data only ever becomes text nodes.
"use strict";

const coabench = {
  // The data that the page carries under this name.
  data(name) {
    return JSON.parse(document.getElementById(name).textContent);
  },

  // element("p", {class: "x"}, "text", otherElement)
  element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  },

  // A control with its title above.
  field(title, control) {
    coabench.fields = (coabench.fields || 0) + 1;
    control.id = `field-${coabench.fields}`;
    return coabench.element("div", { class: "field" }, coabench.element("label", { for: control.id }, title), control);
  },

  // Control and format characters made visible, as on a terminal; line breaks may stay.
  visible(text, keepLines = false) {
    return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, (c) => {
      const code = c.codePointAt(0);
      if (c === "\n") return keepLines ? c : "\\n";
      if (c === "\r") return "\\r";
      if (c === "\t") return "\\t";
      const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
      return `\\${letter}${code.toString(16).padStart(digits, "0")}`;
    });
  },
};

{
  const root = document.documentElement;
  const remembered = (() => { try { return localStorage.getItem("coabench-theme"); } catch { return null; } })();
  if (remembered === "light" || remembered === "dark") root.dataset.theme = remembered;
  root.classList.add("js");
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : preferred.matches);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => { button.textContent = dark() ? "Light" : "Dark"; button.title = `Show the page in ${dark() ? "light" : "dark"} colours`; };
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("coabench-theme", root.dataset.theme); } catch { /* not remembered, then */ }
      name();
    });
    preferred.addEventListener("change", name);
    name();
    document.querySelectorAll("table[data-sortable]").forEach(sortable);
    document.querySelectorAll("table[data-filterable]").forEach(filterable);
  });

  const text = (cell) => cell.textContent.trim();

  function sortable(table) {
    const headings = [...table.tHead.rows].at(-1).cells;
    for (const heading of headings) {
      if (heading.dataset.sort === "off") continue;
      const button = coabench.element("button", { type: "button", class: "sort" });
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, heading, headings));
    }
  }

  // Numbers begin with the largest, words with the first letter; a second click turns it round.
  function sort(table, heading, headings) {
    const column = heading.cellIndex;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, raw: row.cells[column].dataset.value, text: text(row.cells[column]) }));
    const numeric = rows.some(({ raw }) => raw !== undefined);
    const before = heading.getAttribute("aria-sort");
    const first = numeric ? "descending" : "ascending";
    const direction = before === null ? first : before === "ascending" ? "descending" : "ascending";
    const sign = direction === "ascending" ? 1 : -1;
    const empty = ({ raw, text }) => (numeric ? raw === undefined || raw === "" : text === "");
    rows.sort((a, b) => {
      if (empty(a) || empty(b)) return empty(a) - empty(b);
      return sign * (numeric ? a.raw - b.raw : a.text.localeCompare(b.text, "en", { numeric: true }));
    });
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    body.append(...rows.map(({ row }) => row));
  }

  function filterable(table) {
    const rows = [...table.tBodies[0].rows];
    const found = coabench.element("p", { class: "count", "aria-live": "polite" });
    const search = coabench.element("input", { type: "search" });
    const choices = [...table.querySelectorAll("th[data-choices]")].map((heading) => {
      const values = [...new Set(rows.map((row) => text(row.cells[heading.cellIndex])))];
      values.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      const select = coabench.element("select", {}, new Option("all", ""), ...values.map((value) => new Option(value, value)));
      return { select, column: heading.cellIndex, title: text(heading) };
    });
    const apply = () => {
      const wanted = search.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits = row.textContent.toLowerCase().includes(wanted)
          && choices.every(({ select, column }) => !select.value || text(row.cells[column]) === select.value);
        row.classList.toggle("filtered-out", !fits);
        shown += fits;
      }
      found.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
    };
    const controls = coabench.element("div", { class: "controls no-print" },
      coabench.field("Search", search),
      ...choices.map(({ select, title }) => coabench.field(title, select)),
      found);
    controls.addEventListener("input", apply);
    apply();
    (table.closest(".scroll") || table).before(controls);
  }
}
