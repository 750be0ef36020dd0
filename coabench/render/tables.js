// Tables that sort and filter, and keep that in the address: it can be shared, and back and forward work.
"use strict";

{
  const text = (cell) => cell.textContent.trim();

  // What the fragment of the address says of a table, under "NAME.KEY"; what others keep there stays.
  const address = {
    name: (table, key) => `${table.dataset.address}.${key}`,
    get(table, key) {
      return new URLSearchParams(location.hash.slice(1)).get(address.name(table, key));
    },
    set(table, key, value, step) {
      if (!table.dataset.address) return;
      const kept = new URLSearchParams(location.hash.slice(1));
      if (value) kept.set(address.name(table, key), value);
      else kept.delete(address.name(table, key));
      const url = kept.size ? `#${kept}` : location.pathname + location.search;
      history[step ? "pushState" : "replaceState"](null, "", url);
      remember();
    },
  };

  // A page that was reached from here leads back to what was shown here.
  const place = (url) => `coabench-at ${url.protocol}//${url.host}${url.pathname}`;
  const remember = () => { try { sessionStorage.setItem(place(location), location.hash); } catch { /* forgotten, then */ } };
  const leadBack = () => {
    const link = document.querySelector("nav.up a");
    try { if (link) link.hash = sessionStorage.getItem(place(link)) || ""; } catch { /* as it is */ }
  };

  // Make the tables in an element what their attributes promise; those of the page once, others when they come.
  coabench.tables = (root) => {
    for (const table of root.querySelectorAll("table[data-sortable], table[data-filterable]")) {
      const restored = [
        ...(table.matches("[data-sortable]") ? [sortable(table)] : []),
        ...(table.matches("[data-filterable]") ? [filterable(table)] : []),
      ];
      if (!table.dataset.address) continue;
      table.restore = () => restored.forEach((restore) => restore());
      table.restore();
    }
    root.querySelectorAll(".scroll, .chart").forEach(hinted);
  };
  addEventListener("DOMContentLoaded", () => { coabench.tables(document); leadBack(); remember(); });
  addEventListener("popstate", () => {  // also where a fragment was typed
    document.querySelectorAll("table[data-address]").forEach((table) => table.restore());
    remember();
  });

  // Return what sorts as the address says.
  function sortable(table) {
    const body = table.tBodies[0];
    const written = [...body.rows];
    const headings = [...[...table.tHead.rows].at(-1).cells].filter((heading) => heading.dataset.sort !== "off");
    for (const heading of headings) {
      const button = coabench.element("button", { type: "button", class: "sort" });
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const direction = sort(table, heading);
        address.set(table, "sort", `${text(heading)} ${direction}`, true);
      });
    }
    return () => {
      const [, title, direction] = /^(.*) (ascending|descending)$/.exec(address.get(table, "sort") || "") || [];
      const heading = headings.find((each) => text(each) === title);
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      body.append(...written);
      if (heading) sort(table, heading, direction);
    };
  }

  // Numbers begin with the largest, words with the first letter; a second click turns it round.
  function sort(table, heading, wanted) {
    const column = heading.cellIndex;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, raw: row.cells[column].dataset.value, text: text(row.cells[column]) }));
    const numeric = rows.some(({ raw }) => raw !== undefined);
    const before = heading.getAttribute("aria-sort");
    const first = numeric ? "descending" : "ascending";
    const direction = wanted || (before === null ? first : before === "ascending" ? "descending" : "ascending");
    const sign = direction === "ascending" ? 1 : -1;
    const empty = ({ raw, text }) => (numeric ? raw === undefined || raw === "" : text === "");
    rows.sort((a, b) => {
      if (empty(a) || empty(b)) return empty(a) - empty(b);
      return sign * (numeric ? a.raw - b.raw : a.text.localeCompare(b.text, "en", { numeric: true }));
    });
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    body.append(...rows.map(({ row }) => row));
    return direction;
  }

  // Return what filters as the address says.
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
      const all = `${rows.length} row${rows.length === 1 ? "" : "s"}`;
      found.textContent = shown === rows.length ? all : `${shown} of ${all}`;
    };
    search.addEventListener("input", () => { apply(); address.set(table, "search", search.value, false); });
    for (const { select, title } of choices) {
      select.addEventListener("input", () => { apply(); address.set(table, title, select.value, true); });
    }
    const controls = coabench.element("div", { class: "controls no-print" },
      coabench.field("Search", search),
      ...choices.map(({ select, title }) => coabench.field(title, select)),
      found);
    apply();
    (table.closest(".scroll") || table).before(controls);
    return () => {
      search.value = address.get(table, "search") || "";
      for (const { select, title } of choices) {
        const value = address.get(table, title) || "";
        select.value = [...select.options].some((option) => option.value === value) ? value : "";
      }
      apply();
    };
  }

  // Say that there is more to the right, as long as there is.
  function hinted(box) {
    const hint = coabench.element("p", { class: "more no-print", "aria-hidden": "true" }, "more to the right →");
    hint.hidden = true;
    box.before(hint);
    const look = () => { hint.hidden = box.scrollWidth - box.clientWidth - box.scrollLeft < 8; };
    box.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(box);
  }
}
