// What can be changed while it runs, and questions in the viewer's own words. Values come from the server's lists alone.
"use strict";

coabench.controls = ({ element, visible, send }) => {
  const $ = (id) => document.getElementById(id);
  const KEPT = 10; // answers to free questions that stay in the page
  const WORDS = {
    every: (value) => (value === "0" ? "as fast as it goes" : `every ${value} s`),
    smooth: (value) => (value === "1" ? "each answer" : `vote of ${value}`),
  };
  const selects = { every: $("every"), smooth: $("smooth") };
  const field = $("prompt-text");

  function fill(select, values, words) {
    select.replaceChildren(...values.map((value) => new Option(words(value), value)));
  }

  function welcome(hello) {
    for (const [name, select] of Object.entries(selects)) fill(select, hello.settings[name], WORDS[name]);
    for (const [name, offers] of [["offer", hello.offers], ["detector", hello.detectors]]) {
      fill($(name), offers, visible);
      $(`${name}-field`).hidden = offers.length < 2;
    }
    field.maxLength = hello.prompt.longest;
  }

  // A value that the command line chose need not be on the list.
  function choose(select, value, words) {
    if (document.activeElement === select || value === null) return;
    if (![...select.options].some((option) => option.value === value)) select.prepend(new Option(words(value), value));
    select.value = value;
  }

  function show(state, { on, yours, taken }) {
    for (const [name, select] of Object.entries(selects)) {
      choose(select, state.settings[name], WORDS[name]);
      select.disabled = !on || taken;
    }
    for (const name of ["offer", "detector"]) {
      choose($(name), state[name], visible);
      $(name).disabled = !on || taken || state.switching !== null;
    }
    const { refused, under_way: busy } = state.prompt;
    const why = refused ? `No free question: ${visible(refused)}.` : !yours ? "Start the camera to ask." : busy ? "Asking …" : "";
    if ($("prompt-why").textContent !== why) $("prompt-why").textContent = why;
    field.disabled = Boolean(refused);
    $("prompt-ask").disabled = Boolean(why);
  }

  function answered(message) {
    const responses = message.responses.map(({ track, response, error }) => element("p", { class: "said" },
      element("span", { class: "name" }, `Face ${track}: `), error ? `no answer: ${visible(error)}` : visible(response)));
    $("prompted").prepend(element("li", {}, element("p", { class: "asked" }, element("span", { class: "badge" }, "not evaluated"), " ", visible(message.text)), ...responses));
    while ($("prompted").children.length > KEPT) $("prompted").lastElementChild.remove();
  }

  for (const [name, select] of Object.entries(selects)) {
    select.addEventListener("change", () => { send({ type: "set", name, value: select.value }); select.blur(); });
  }
  for (const name of ["offer", "detector"]) {
    $(name).addEventListener("change", ({ target }) => { $("problem").hidden = true; send({ type: name, name: target.value }); target.blur(); });
  }
  $("prompt").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!$("prompt-ask").disabled && field.value.trim()) send({ type: "prompt", text: field.value });
  });

  return { welcome, show, answered };
};
