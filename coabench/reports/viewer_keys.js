// Keys of a page, each a letter or a sign, with a help that lists them. Whoever does not want them switches them off there.
"use strict";

// keys: [key, what it does, act], or ["1", what they do, act, last] for the digits up to the last, of which act takes the
// one that was pressed. Escape leaves a list of choices or a text, else it closes what is open. Returns the button that
// opens the help.
coabench.keys = (keys, { leave, close }) => {
  const { element } = coabench;
  const REMEMBERED = "coabench-keys";
  const remembered = (() => { try { return localStorage.getItem(REMEMBERED); } catch { return null; } })();
  const active = element("input", { type: "checkbox" });
  active.checked = remembered !== "off";
  active.addEventListener("change", () => { try { localStorage.setItem(REMEMBERED, active.checked ? "on" : "off"); } catch { /* not remembered, then */ } });

  const listed = [...keys.map(([key, what, , number]) => [number ? `${key}–${number}` : key, what]), ["Esc", "leave a list of choices or the search; else close the sample"], ["?", "these keys"]];
  const done = element("button", { type: "button" }, "Close");
  const dialog = element("dialog", { class: "keys", "aria-label": "Keys" },
    element("h2", {}, "Keys"),
    element("dl", {}, ...listed.flatMap(([key, what]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, what)])),
    element("p", {}, element("label", {}, active, " Use these keys")),
    done);
  done.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  const help = () => { if (!dialog.open) dialog.showModal(); };

  const acts = new Map([["?", help]]);
  for (const [key, , act, last] of keys) {
    if (last) for (let n = 1; n <= last; n += 1) acts.set(String(n), () => act(n));
    else acts.set(key, act);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || dialog.open) return;
    const typing = event.target.matches?.("input, select, textarea");
    const zoomed = document.querySelector("dialog[open]") !== null;
    if (event.key === "Escape" && !zoomed) { (typing ? leave : close)(event.target); event.preventDefault(); return; }
    const act = acts.get(event.key);
    if (!act || typing || !active.checked || (zoomed && !["j", "k"].includes(event.key))) return;
    event.preventDefault();
    act();
  });

  const button = (attributes = {}) => {
    const made = element("button", { type: "button", "aria-keyshortcuts": "?", ...attributes }, "Keys: ?");
    made.addEventListener("click", help);
    return made;
  };
  document.querySelector("nav.contents ul")?.append(element("li", { class: "no-print" }, button({ class: "link" })));
  return button();
};
