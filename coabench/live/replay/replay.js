// The viewer: one cursor, moved by playing, the scrub bar, keys, lanes, markers and notes.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const { element, visible } = coabench;
  const session = coabench.session();
  const at = (id) => document.getElementById(id);
  const scrub = at("cursor");
  let [time, playing, rate, before, resting] = [0, false, 1, 0, null];

  const differences = coabench.differences(session);
  const timeline = coabench.timeline(session, differences, (to) => go(to));
  const picture = coabench.picture(session);
  const answers = coabench.answers(session, differences);
  const moments = [...new Set(session.answers.time)]; // in order

  scrub.max = session.end;
  at("boxes").checked = picture.boxed;

  // ---- the cursor ----

  let waiting = false;
  function show() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      scrub.value = time;
      scrub.setAttribute("aria-valuetext", session.clock(time));
      at("time").textContent = `${session.clock(time)} of ${session.clock(session.end)}`;
      at("now-time").textContent = session.clock(time);
      timeline.moveTo(time);
      picture.show(time, playing && picture.video && !picture.video.paused);
      answers.show(time);
      clearTimeout(resting);
      if (!playing) resting = setTimeout(rest, 400);
    });
  }

  // Where the cursor rests, the address says so, and a screen reader hears who is there.
  function rest() {
    history.replaceState(null, "", `#t=${time.toFixed(2)}`);
    at("said").textContent = answers.words(time) || "no answer";
  }

  function go(to) {
    time = Math.max(0, Math.min(session.end, to));
    if (picture.video && !picture.video.paused) picture.video.pause();
    show();
  }

  function play(on) {
    playing = on && (time < session.end || !(time = 0));
    at("play").textContent = playing ? "Pause" : "Play";
    if (picture.video) picture.video.pause();
    before = performance.now();
    if (playing) requestAnimationFrame(tick);
    show();
  }

  // The film is the clock where it plays; elsewhere the clock of the machine is.
  function tick(now) {
    if (!playing) return;
    const { video } = picture;
    if (picture.playable(time) && !video.seeking && !video.ended) {
      if (video.paused) {
        video.playbackRate = rate;
        video.play().catch(() => {});
      } else time = Math.max(time, picture.clock);
    } else if (!video?.seeking) time += ((now - before) / 1000) * rate;
    before = now;
    if (time >= session.end) {
      time = session.end;
      play(false);
    } else {
      show();
      requestAnimationFrame(tick);
    }
  }

  const step = (by) => {
    const n = session.last(moments, time + 5e-4);
    const exact = n >= 0 && Math.abs(moments[n] - time) < 1e-3;
    const to = by > 0 ? n + 1 : exact ? n - 1 : n;
    if (to >= 0 && to < moments.length) go(moments[to]);
  };

  // ---- markers: kept by this browser, and exported ----

  const store = `coabench-markers-${session.id}`;
  let markers = [];
  try {
    const found = JSON.parse(localStorage.getItem(store) || "[]");
    markers = found.filter((m) => Number.isFinite(m?.time) && typeof m?.name === "string").map(({ time: t, name }) => ({ time: t, name }));
  } catch { /* none, then */ }

  function keep() {
    markers.sort((a, b) => a.time - b.time);
    let kept = true;
    try { localStorage.setItem(store, JSON.stringify(markers)); } catch { kept = false; }
    at("kept").textContent = kept ? "Markers are kept by this browser alone; export them to keep or pass them on." : "This browser keeps no markers: export them before you close the page.";
    timeline.mark(markers);
    list();
  }

  function list() {
    const place = at("markers");
    at("markers-csv").disabled = !markers.length;
    if (!markers.length) { place.replaceChildren(element("p", { class: "quiet" }, "None yet: M adds one at the cursor.")); return; }
    const rows = markers.map((marker) => {
      const jump = element("button", { type: "button" }, session.clock(marker.time));
      jump.addEventListener("click", () => go(marker.time));
      const name = element("input", { "aria-label": `Name of the marker at ${session.clock(marker.time)}`, maxlength: 200 });
      name.value = marker.name;
      name.addEventListener("change", () => { marker.name = name.value; keep(); });
      const drop = element("button", { type: "button", "aria-label": `Remove the marker at ${session.clock(marker.time)}` }, "Remove");
      drop.addEventListener("click", () => { markers = markers.filter((each) => each !== marker); keep(); at("mark").focus(); });
      return element("tr", {}, element("td", {}, jump), element("td", {}, name), element("td", {}, drop));
    });
    const head = element("tr", {}, ...["Time", "Name"].map((title) => element("th", { scope: "col" }, title)), element("td", {}));
    place.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  function mark() {
    const number = 1 + markers.reduce((most, { name }) => Math.max(most, Number(/^Marker (\d+)$/.exec(name)?.[1] || 0)), 0);
    markers.push({ time: Math.round(1000 * time) / 1000, name: `Marker ${number}` });
    keep();
    at("said").textContent = `Marker ${number} at ${session.clock(time)}`;
  }

  function toMarker(by) {
    const found = by > 0 ? markers.find((m) => m.time > time + 1e-3) : markers.findLast((m) => m.time < time - 1e-3);
    if (found) go(found.time);
  }

  // ---- where answerers differ ----

  function toDifference(by) {
    const found = differences.beside(time, by);
    if (found !== undefined) go(found);
    else if (differences.several) at("said").textContent = by > 0 ? "no later difference" : "no earlier difference";
  }
  at("differences").hidden = !differences.several;
  at("agreement").replaceChildren(...differences.list());
  for (const id of ["differs-before", "differs-after"]) at(id).disabled = !differences.times.length;

  // ---- notes ----

  if (session.notes.length) {
    const rows = session.notes.map(([when, text]) => {
      const jump = element("button", { type: "button" }, session.clock(when));
      jump.addEventListener("click", () => go(when));
      return element("tr", {}, element("td", {}, jump), element("td", {}, visible(text)));
    });
    at("notes").append(element("table", {}, element("tbody", {}, ...rows)));
  } else at("notes-section").hidden = true;

  // ---- controls and keys ----

  at("play").addEventListener("click", () => play(!playing));
  at("before").addEventListener("click", () => step(-1));
  at("after").addEventListener("click", () => step(1));
  at("differs-before").addEventListener("click", () => toDifference(-1));
  at("differs-after").addEventListener("click", () => toDifference(1));
  at("rate").addEventListener("change", () => { rate = Number(at("rate").value); if (picture.video) picture.video.playbackRate = rate; });
  at("boxes").addEventListener("change", () => picture.boxes(at("boxes").checked));
  at("mark").addEventListener("click", mark);
  at("in").addEventListener("click", () => timeline.zoom(0.5));
  at("out").addEventListener("click", () => timeline.zoom(2));
  at("all").addEventListener("click", () => timeline.whole());
  scrub.addEventListener("input", () => go(Number(scrub.value)));
  at("answers-csv").addEventListener("click", () => coabench.csv(`${session.name}-answers.csv`, answers.rows()));
  at("markers-csv").addEventListener("click", () => coabench.csv(`${session.name}-markers.csv`, [["time", "name"], ...markers.map((m) => [m.time, m.name])]));

  const keys = {
    " ": () => play(!playing), ArrowLeft: (e) => go(time - (e.shiftKey ? 10 : 1)), ArrowRight: (e) => go(time + (e.shiftKey ? 10 : 1)),
    Home: () => go(0), End: () => go(session.end), ",": () => step(-1), ".": () => step(1), m: mark, n: () => toMarker(1), p: () => toMarker(-1),
    "+": () => timeline.zoom(0.5), "=": () => timeline.zoom(0.5), "-": () => timeline.zoom(2), 0: () => timeline.whole(),
    d: (e) => toDifference(e.shiftKey ? -1 : 1),
    b: () => { at("boxes").checked = !at("boxes").checked; picture.boxes(at("boxes").checked); },
  };
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    const writing = target.matches("input:not([type=range]):not([type=checkbox]), textarea, select");
    const pressing = event.key === " " && target.matches("button, summary, input[type=checkbox]");
    const scrolling = target.matches(".scroll, .lanes, .now") && /^(Arrow|Home|End)/.test(event.key);
    if (writing || pressing || scrolling || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });

  const linked = () => Number(/[#&]t=([\d.]+)/.exec(location.hash)?.[1] ?? NaN);
  addEventListener("hashchange", () => { if (Number.isFinite(linked())) go(linked()); });
  keep();
  go(Number.isFinite(linked()) ? linked() : 0);
});
