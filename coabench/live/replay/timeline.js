// The lanes: one per face, with a band for the labels and one for each question, drawn where they are in sight.
"use strict";

coabench.timeline = (session, differences, seek) => {
  const { element, visible } = coabench;
  const { answers, turns, string, lines } = session;
  const place = document.getElementById("lanes");
  const TALL = 22;
  const LOW = 18;
  const PAD = 3;
  let view = [0, session.end];
  let theme = null;

  // ---- colours: six, then the same with stripes, then with dots; what has no label is grey ----

  // Answers to questions that are no labels have bands of their own, and so begin with the first colour again.
  const counted = new Map();
  for (const label of turns.label) if (label >= 0) counted.set(label, (counted.get(label) || 0) + 1);
  const steps = [...counted].sort((a, b) => b[1] - a[1]).map(([label]) => label).filter((label) => !session.labels.includes(label));
  const number = new Map([session.labels, steps].flatMap((all) => all.map((label, n) => [label, n])));
  const colours = Math.max(session.labels.length, steps.length);

  function readTheme() {
    const probe = element("span", {});
    document.body.append(probe);
    const colour = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
    theme = { series: [0, 1, 2, 3, 4, 5].map((n) => colour(`--series-${n}`)), paper: colour("--paper"), ink: colour("--ink"), quiet: colour("--quiet"), line: colour("--line"), raised: colour("--raised"), warn: colour("--warn-line") };
    probe.remove();
  }

  function pattern(context, n) {
    const colour = theme.series[n % 6];
    const kind = Math.floor(n / 6) % 3;
    if (kind === 0) return colour;
    const tile = element("canvas", { width: 6, height: 6 });
    const inner = tile.getContext("2d");
    inner.fillStyle = colour;
    inner.fillRect(0, 0, 6, 6);
    inner.strokeStyle = inner.fillStyle = theme.paper;
    if (kind === 1) { inner.beginPath(); for (const x of [-3, 3, 9]) { inner.moveTo(x - 3, 6); inner.lineTo(x + 3, 0); } inner.lineWidth = 1.2; inner.stroke(); } else inner.fillRect(2, 2, 2, 2);
    return context.createPattern(tile, "repeat");
  }

  function swatch(n) {
    const canvas = element("canvas", { width: 28, height: 18, "aria-hidden": "true" });
    const context = canvas.getContext("2d");
    context.fillStyle = n === -2 ? hatching(context) : n < 0 ? theme.raised : pattern(context, n);
    context.fillRect(0, 0, 28, 18);
    context.strokeStyle = theme.quiet;
    if (n < 0) context.strokeRect(0.5, 0.5, 27, 17);
    return canvas;
  }

  function legend() {
    const row = (title, entries) => element("div", { role: "list", "aria-label": title }, element("span", { class: "quiet", role: "presentation" }, title),
      ...entries.map(([n, text]) => element("span", { role: "listitem" }, swatch(n), text)));
    const named = (all) => all.slice(0, 18).map((label, n) => [n, visible(string(label))]);
    document.getElementById("legend").replaceChildren(row("Labels", [...named(session.labels), [-1, "no label"], ...(session.gaps.length ? [[-2, "no frames"]] : [])]),
      ...(steps.length ? [row("Answers to questions", named(steps))] : []));
  }

  // ---- the lanes ----

  const names = session.turnNames;
  const lanes = [];
  function lane(title, bands, draw, described) {
    const canvas = element("canvas", { role: "img", "aria-label": described });
    const made = { canvas, draw, height: bands, seen: false };
    lanes.push(made);
    place.append(element("div", { class: "lane" }, element("div", { class: "names" }, ...title), canvas));
    canvas.addEventListener("pointerdown", (event) => {
      const go = (e) => { const area = canvas.getBoundingClientRect(); seek(view[0] + Math.max(0, Math.min(1, (e.clientX - area.left) / area.width)) * (view[1] - view[0])); };
      go(event);
      canvas.setPointerCapture(event.pointerId);
      canvas.onpointermove = go;
    });
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { canvas.onpointermove = null; });
  }

  lane([element("span", { class: "quiet" }, "Time"), element("span", { class: "quiet" }, "Markers, notes")], [TALL, LOW], drawRuler, "Time, markers and notes of the log");
  for (const line of lines) {
    const chip = element("span", { class: "chip" }, String(session.faces[line.face]));
    const { colour, ink } = session.colour(line.face);
    chip.style.background = colour;
    chip.style.color = ink;
    const who = session.answerers.length > 1 ? ` ${visible(session.answerers[line.answerer])}` : "";
    const counts = new Map();
    for (const i of line.rows) counts.set(answers.label[i], (counts.get(answers.label[i]) || 0) + 1);
    const [[most, times]] = [...counts].sort((a, b) => b[1] - a[1]);
    const against = differences.against(line);
    const differing = against === null ? "" : `; differs from ${against} in ${line.rows.filter(differences.differs).length}`;
    const said = `Face ${session.faces[line.face]}${who}: ${line.rows.length} answers from ${session.clock(line.times[0])} to ${session.clock(line.times.at(-1))}, most often ${most < 0 ? "no label" : visible(string(most))} (${times})${differing}`;
    const asked = names.filter((name) => line.rows.some((i) => session.turnOf(i, name) >= 0));
    lane([element("span", { title: said }, "Face ", chip, who), ...asked.map((name) => element("span", { class: "quiet" }, visible(string(name)))), ...(against === null ? [] : [element("span", { class: "quiet" }, `≠ ${against}`)])],
      [TALL, ...asked.map(() => LOW), ...(against === null ? [] : [LOW])], (context, width) => drawLine(context, width, line, asked, against !== null), said);
  }
  const cursor = element("div", { class: "line", "aria-hidden": "true" });
  place.append(cursor);

  // ---- drawing ----

  // What a band shows of an answer: the number of a colour, -1 for no label; and the text.
  const outcome = (i) => [answers.label[i] < 0 ? -1 : number.get(answers.label[i]), answers.label[i] < 0 ? `no label: ${string(answers.why[i]) ?? ""}` : string(answers.label[i])];
  const turned = (name) => (i) => {
    const t = session.turnOf(i, name);
    if (t < 0) return null;
    const label = turns.label[t];
    return label < 0 ? [-1, "no option"] : [number.get(label), string(label)];
  };

  function drawLine(context, width, line, asked, compared) {
    let top = PAD;
    [outcome, ...asked.map(turned)].forEach((of, n) => {
      const height = n ? LOW : TALL;
      band(context, width, line, of, top, height - 2);
      top += height;
    });
    if (compared) marks(context, width, line, top, LOW - 2);
  }

  // Where a line differs from what it is compared with: one such answer marks its pixels, however many agree there.
  function marks(context, width, line, top, height) {
    const scale = width / (view[1] - view[0]);
    const middle = top + height / 2;
    context.fillStyle = theme.line;
    context.fillRect(0, Math.round(middle), width, 1);
    let [began, ended] = [0, -1];
    const mark = () => {
      if (ended < began) return;
      context.fillStyle = theme.warn;
      context.fillRect(began, top, Math.max(2, ended - began), height);
      if (ended - began < 16) return;
      context.fillStyle = theme.paper;
      context.font = "bold 12px system-ui, sans-serif";
      context.textBaseline = "middle";
      context.fillText("≠", began + 4, middle + 0.5);
    };
    for (let n = Math.max(0, session.last(line.times, view[0] - line.holds)); n < line.times.length && line.times[n] < view[1]; n += 1) {
      if (!differences.differs(line.rows[n])) continue;
      const [from, to] = [(line.times[n] - view[0]) * scale, (line.until(n) - view[0]) * scale];
      if (to < 0) continue;
      if (from > ended + 0.5) {
        mark();
        began = Math.max(0, from);
      }
      ended = Math.min(width, to);
    }
    mark();
  }

  // For each column of pixels the outcome that stood there longest; neighbours that agree are one block with its name.
  function band(context, width, line, of, top, height) {
    const scale = width / (view[1] - view[0]);
    const kinds = colours + 1;
    const spent = new Float32Array(width * kinds);
    const texts = new Map();
    for (let n = Math.max(0, session.last(line.times, view[0] - line.holds)); n < line.times.length && line.times[n] < view[1]; n += 1) {
      const found = of(line.rows[n]);
      if (!found) continue;
      const [from, to] = [(line.times[n] - view[0]) * scale, (line.until(n) - view[0]) * scale];
      for (let x = Math.max(0, Math.floor(from)); x < Math.min(width, to); x += 1) {
        spent[x * kinds + found[0] + 1] += Math.min(to, x + 1) - Math.max(from, x);
      }
      texts.set(found[0], found[1]);
    }
    const winner = (x) => {
      let [best, most] = [-2, 0.02];
      for (let k = 0; k < kinds; k += 1) if (spent[x * kinds + k] > most) [best, most] = [k - 1, spent[x * kinds + k]];
      return best;
    };
    for (let x = 0, began = 0, now = -2; x <= width; x += 1) {
      const next = x < width ? winner(x) : -2;
      if (next === now) continue;
      if (now > -2) block(context, began, top, x - began, height, now, texts.get(now));
      [began, now] = [x, next];
    }
  }

  function block(context, x, y, width, height, kind, text) {
    const base = kind < 0 ? theme.raised : theme.series[kind % 6];
    context.fillStyle = kind < 0 ? base : pattern(context, kind);
    context.fillRect(x, y, Math.max(1, width - (width > 3)), height);
    if (kind < 0 && width > 3) { context.strokeStyle = theme.quiet; context.lineWidth = 1; context.strokeRect(x + 0.5, y + 0.5, width - 2, height - 1); }
    if (width < 24) return;
    context.font = "12px system-ui, sans-serif";
    let shown = visible(text);
    if (context.measureText(shown).width > width - 8) {
      while (shown && context.measureText(`${shown}…`).width > width - 8) shown = shown.slice(0, -1);
      if (shown.length < 3) return;
      shown += "…";
    }
    if (kind >= 6) { context.fillStyle = base; context.fillRect(x + 2, y + 1, context.measureText(shown).width + 5, height - 2); }
    context.fillStyle = kind < 0 ? theme.ink : theme.paper;
    context.textBaseline = "middle";
    context.fillText(shown, x + 4, y + height / 2 + 0.5);
  }

  // Where the camera gave no frames there is hatching, in every lane.
  function drawGaps(context, width, height) {
    context.fillStyle = hatching(context);
    const scale = width / (view[1] - view[0]);
    for (const [from, until] of session.gaps) context.fillRect((from - view[0]) * scale, 0, Math.max(1, (until - from) * scale), height);
  }

  function hatching(context) {
    const tile = element("canvas", { width: 8, height: 8 });
    const inner = tile.getContext("2d");
    inner.strokeStyle = theme.line;
    inner.lineWidth = 2;
    inner.beginPath();
    for (const x of [-8, 0, 8]) { inner.moveTo(x, 8); inner.lineTo(x + 8, 0); }
    inner.stroke();
    return context.createPattern(tile, "repeat");
  }

  let markers = [];
  function drawRuler(context, width) {
    const seconds = view[1] - view[0];
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
    const step = steps.find((s) => (s / seconds) * width >= 64) ?? 36000;
    const at = (time) => ((time - view[0]) / seconds) * width;
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let time = Math.ceil(view[0] / step) * step; time <= view[1]; time += step) {
      const x = Math.round(at(time)) + 0.5;
      context.strokeStyle = theme.line;
      context.beginPath(); context.moveTo(x, 0); context.lineTo(x, PAD + TALL + LOW); context.stroke();
      context.fillStyle = theme.quiet;
      context.fillText(session.clock(time).replace(/\.0$/, ""), x + 4, PAD + TALL / 2);
    }
    const middle = PAD + TALL + LOW / 2 - 1;
    context.fillStyle = theme.warn;
    for (const [time] of session.notes) {
      const x = at(time);
      context.beginPath(); context.moveTo(x - 5, middle + 5); context.lineTo(x + 5, middle + 5); context.lineTo(x, middle - 5); context.fill();
    }
    context.fillStyle = theme.ink;
    for (const { time, name } of markers) {
      const x = at(time);
      context.beginPath(); context.moveTo(x, middle - 6); context.lineTo(x + 6, middle); context.lineTo(x, middle + 6); context.lineTo(x - 6, middle); context.fill();
      context.fillText(visible(name), x + 9, middle);
    }
  }

  function draw(made) {
    const { canvas } = made;
    const width = Math.max(1, Math.round(canvas.clientWidth));
    const height = made.height.reduce((a, b) => a + b) + 2 * PAD;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    drawGaps(context, width, height);
    made.draw(context, width);
  }

  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      lanes.filter(({ seen }) => seen).forEach(draw);
      document.getElementById("span").textContent = `${session.clock(view[0])} to ${session.clock(view[1])}`;
    });
  }

  const watching = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const made = lanes.find(({ canvas }) => canvas === target);
      made.seen = isIntersecting;
      if (isIntersecting) draw(made);
      else if (made.canvas.width > 1) made.canvas.width = 1; // its memory is given back
    }
  }, { root: place, rootMargin: "200px" });
  for (const made of lanes) {
    made.canvas.style.height = `${made.height.reduce((a, b) => a + b) + 2 * PAD}px`;
    watching.observe(made.canvas);
  }
  let time = 0;
  const moved = () => {
    const { canvas } = lanes[0];
    const x = ((time - view[0]) / (view[1] - view[0])) * canvas.clientWidth;
    cursor.style.transform = `translateX(${x}px)`;
    cursor.style.height = `${place.scrollHeight}px`;
    cursor.hidden = x < 0 || x > canvas.clientWidth;
  };
  new ResizeObserver(() => { cursor.style.height = "0"; redraw(); moved(); }).observe(place);
  const restyle = () => { readTheme(); legend(); redraw(); };
  new MutationObserver(restyle).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  restyle();

  function show(from, to) {
    const length = Math.min(session.end, Math.max(0.5, to - from));
    const begin = Math.max(0, Math.min(session.end - length, from));
    view = [begin, begin + length];
    redraw();
    moved();
  }

  return {
    moveTo(now) {
      time = now;
      const length = view[1] - view[0];
      if (now < view[0] || now > view[1]) show(now - length / 10, now + (length * 9) / 10);
      else moved();
    },
    zoom(factor) {
      const length = (view[1] - view[0]) * factor;
      const part = (time - view[0]) / (view[1] - view[0]);
      show(time - part * length, time + (1 - part) * length);
    },
    whole: () => show(0, session.end),
    mark(all) { markers = all; redraw(); },
  };
};
