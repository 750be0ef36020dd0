// A folder of runs: the page takes up what is new, and two runs that are ticked are compared.
"use strict";

{
  const EVERY = 2000; // milliseconds between two questions to the server
  const picked = new Map(); // the name of a report's file -> the name of the run
  let version = null;

  addEventListener("DOMContentLoaded", () => {
    pickable(document);
    document.getElementById("go").addEventListener("click", () => {
      const [a, b] = picked.keys();
      location.assign(`compare.html?${new URLSearchParams({ a, b })}`);
    });
    document.getElementById("clear").addEventListener("click", () => {
      picked.clear();
      document.querySelectorAll("input.pick").forEach((box) => { box.checked = false; });
      say();
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) follow(); });
    setInterval(() => { if (!document.hidden) follow(); }, EVERY);
  });
  addEventListener("pageshow", (event) => { if (event.persisted) follow(); });

  // -- what is new ----------------------------------------------------------------------------------------------------

  let asking = false;

  async function follow() {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", headers: version ? { "If-None-Match": version } : {} });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(answer.statusText);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        version = answer.headers.get("etag");
        take(page);
      }
      document.documentElement.classList.remove("alone");
      lost(false);
    } catch {
      lost(true);
    } finally {
      asking = false;
    }
  }

  function lost(now) {
    const note = document.getElementById("lost");
    if (now && !note) {
      const words = coabench.element("p", {}, "The server does not answer: this page shows what it knew last.");
      document.getElementById("notes").before(coabench.element("div", { id: "lost", class: "banner", role: "status" }, words));
    }
    if (!now && note) note.remove();
  }

  function take(page) {
    for (const id of ["count", "notes"]) {
      const old = document.getElementById(id);
      const fresh = page.getElementById(id);
      if (old.innerHTML !== fresh.innerHTML) old.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    }
    const parts = document.getElementById("parts");
    const before = new Map([...parts.children].map((part) => [part.dataset.name, part]));
    let last = null;
    for (const fresh of page.getElementById("parts").children) {
      const old = before.get(fresh.dataset.name);
      before.delete(fresh.dataset.name);
      let part = old;
      if (!old || old.dataset.digest !== fresh.dataset.digest) {
        part = document.importNode(fresh, true);
        if (old) replace(old, part);
        else if (last) last.after(part);
        else parts.prepend(part);
        coabench.tables(part);
        pickable(part);
      }
      last = part;
    }
    for (const old of before.values()) old.remove();
    const there = new Set([...document.querySelectorAll("input.pick")].map((box) => box.value));
    for (const run of picked.keys()) if (!there.has(run)) picked.delete(run);
    say();
  }

  // Replace a part; who has the focus in it, and how far it is scrolled, stays.
  function replace(old, part) {
    const what = "a, button, input, select, .scroll";
    const at = [...old.querySelectorAll(what)].indexOf(document.activeElement);
    const scrolled = [...old.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    old.replaceWith(part);
    queueMicrotask(() => {
      [...part.querySelectorAll(".scroll")].forEach((box, i) => { box.scrollLeft = scrolled[i] || 0; });
      if (at >= 0) [...part.querySelectorAll(what)][at]?.focus({ preventScroll: true });
    });
  }

  // -- two runs -------------------------------------------------------------------------------------------------------

  function pickable(root) {
    for (const link of root.querySelectorAll('td > a[href^="runs/"]')) {
      const run = decodeURIComponent(link.getAttribute("href").slice("runs/".length));
      const box = coabench.element("input", { type: "checkbox", class: "pick no-print", "aria-label": `Compare ${link.textContent}` });
      box.value = run;
      box.checked = picked.has(run);
      box.addEventListener("change", () => {
        if (box.checked) picked.set(run, link.textContent);
        else picked.delete(run);
        if (picked.size > 2) {
          const [first] = picked.keys(); // the one that was ticked first makes room
          picked.delete(first);
          document.querySelectorAll("input.pick").forEach((other) => { other.checked = picked.has(other.value); });
        }
        say();
      });
      link.before(box);
    }
  }

  function say() {
    const names = [...picked.values()];
    document.getElementById("compare").hidden = !names.length;
    document.getElementById("go").disabled = names.length < 2;
    const words = names.length < 2 ? `${names[0]}: tick one run more to compare` : `${names[0]} against ${names[1]}`;
    if (names.length) document.getElementById("chosen").textContent = words;
  }
}
