// What every page can do: a theme; `tables.js` has its tables. Text from data only ever becomes text nodes.
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
  });
}
