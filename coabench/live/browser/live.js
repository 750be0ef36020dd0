// The live page: a camera, a socket, an overlay, a timeline. Whatever the server says becomes text nodes or numbers.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const WINDOW = 120_000; // milliseconds of the timeline
  const LATEST = 40; // rows of the table
  const SILENCE = 6_000; // milliseconds without a word after which the connection counts as dead
  const SLOWEST_RETRY = 10_000;
  const LEGEND = 6; // faces in it
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const $ = (id) => document.getElementById(id);
  const { element, visible } = coabench;
  const overlay = coabench.overlay();
  const gauges = coabench.gauges($("gauges"));
  // Gives a node the colour of a face, which is the same in the picture.
  const tinted = (node, track) => { node.style.setProperty("--series", overlay.paint(track).colour); return node; };
  const view = $("view");
  const video = $("video");
  const sheet = view.getContext("2d");
  const percent = (share) => `${Math.round(100 * share)} %`;
  const duration = (seconds) => (seconds === null ? "–" : seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);
  const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  // -- what the page knows --------------------------------------------------------------------------------------------

  let hello = null; // what the server is
  let seen = null; // its newest state, and when it came
  let want = "off"; // off, running, paused: what the user wants of the camera
  let agreed = false;
  let stream = null;
  let trouble = ""; // why there is no picture

  // -- the socket -----------------------------------------------------------------------------------------------------

  const link = { socket: null, state: "connecting", seat: null, received: 0, tries: 0, retryAt: 0, timer: 0, why: "" };

  function connect() {
    clearTimeout(link.timer);
    link.state = "connecting";
    const address = new URL(`live${location.search}`, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.hash = "";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    link.socket = socket;
    link.received = performance.now();
    socket.addEventListener("message", (event) => { if (socket === link.socket) receive(event.data); });
    socket.addEventListener("close", () => { if (socket === link.socket) lost(); });
    showStatus();
  }

  function lost() {
    const wasOpen = link.state === "open";
    link.socket = null;
    link.seat = null;
    link.state = "lost";
    camera.outstanding = null;
    const delay = Math.min(SLOWEST_RETRY, 500 * 2 ** link.tries);
    link.tries += 1;
    link.retryAt = performance.now() + delay;
    link.timer = setTimeout(connect, delay);
    if (!wasOpen) invited();
    showStatus();
  }

  // A socket that is refused looks like one that nobody answers. The page itself says which it is.
  async function invited() {
    try {
      const answer = await fetch(location.href.split("#")[0], { method: "HEAD", cache: "no-store" });
      if (answer.status === 403 || answer.status === 421) {
        clearTimeout(link.timer);
        link.state = "refused";
        showStatus();
      }
    } catch { /* nobody answers */ }
  }

  function send(message) {
    if (link.state === "open") link.socket.send(JSON.stringify(message));
  }

  function receive(data) {
    let message;
    link.received = performance.now();
    if (data instanceof ArrayBuffer) { sources.take(data); return; }
    try { message = JSON.parse(data); } catch { return; }
    const take = { hello: welcome, seat: seated, state: look, answer: noteAnswer, problem: complain, film: sources.received, prompted: controls.answered, ended: farewell }[message.type];
    if (take) take(message);
  }

  function welcome(message) {
    link.state = "open";
    link.tries = 0;
    link.why = "";
    hello = message;
    camera.outstanding = null;
    camera.number = 0;
    camera.kept = null;
    people.forget();
    introduce(message);
    const server = `behind this page (${location.host})`;
    say($("where"), message.remote_backbone
      ? `Pictures go from this browser to the server ${server}, and its backbone sends them on to another machine.`
      : `Pictures go from this browser to the server ${server}, and nowhere else.`);
    say($("keeps"), message.keeps.length ? `The server keeps: ${message.keeps.map((text) => visible(text)).join("; ")}.` : "Nothing is stored.");
    $("strategy").replaceChildren(...message.strategies.map((name) => new Option(visible(name), name)));
    $("by").hidden = !several();
    controls.welcome(message);
    sources.welcome(message);
    timeline.relabel(message.labels);
    if (want === "running") send({ type: "start" });
    showStatus();
  }

  // What answers now; each strategy may have an adapter of its own.
  function introduce({ backbone, model, adapter, device, decode }) {
    const who = [backbone, model].filter(Boolean).map((text) => visible(text)).join(": ");
    say($("about"), `${who} · ${adapter ? `adapter ${visible(adapter)}` : "no adapter"} · ${device ? visible(device) : "device unknown"}${decode === "score" ? " · scored options" : ""}`);
  }

  function seated(message) {
    link.seat = message.seat;
    if (message.seat === "yours") people.forget();
    if (message.seat !== "yours") camera.outstanding = null;
    // Whoever waits for the seat takes it when it is free; out of sight nothing would be sent.
    if (message.seat === "free" && want === "running" && !document.hidden) send({ type: "start" });
    showStatus();
  }

  function look(message) {
    if (message.source) sources.follow(message.source);
    seen = { ...message, captured: sources.at(message.captured), came: performance.now() };
    introduce(message);
    camera.keep(message.frame);
    if (camera.outstanding !== null && message.acknowledged === camera.outstanding) {
      camera.outstanding = null;
      camera.shot();
    }
    const select = $("strategy");
    if (document.activeElement !== select || select.disabled || select.value === message.strategy) select.value = message.switching ?? message.strategy;
    showStatus();
  }

  function complain(message) {
    if (message.about === "frame" && message.frame !== null && message.frame === camera.outstanding) camera.outstanding = null;
    if (message.about !== "frame") sources.failed(message.about);
    if (message.about === "strategy" && seen) $("strategy").value = seen.strategy;
    const lines = [message.problem];
    for (const [title, text] of [["Expected", message.expected], ["Found", message.found], ["What to do", message.remedy]]) {
      if (text) lines.push(`${title}: ${text}`);
    }
    if (message.about === "message" && link.seat === "taken") return; // the status line says it
    alarm(lines.map((line) => visible(line)).join("\n"));
  }

  function alarm(text) {
    say($("problem-text"), text.charAt(0).toUpperCase() + text.slice(1));
    $("problem").hidden = false;
  }

  function farewell(message) {
    link.why = visible(message.why);
  }

  // -- the camera -----------------------------------------------------------------------------------------------------

  const camera = {
    number: 0, outstanding: null, sentAt: 0, busy: false, timer: 0, paper: document.createElement("canvas"),
    looked: document.createElement("canvas"), kept: null, // the frame that the boxes belong to, and its number

    async open(device) {
      camera.close();
      trouble = "";
      if (!navigator.mediaDevices) {
        trouble = "The browser gives its camera to pages from localhost or over HTTPS only.";
        return false;
      }
      try {
        const which = device ? { deviceId: { exact: device } } : { facingMode: "user" };
        stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 } } });
      } catch (error) {
        trouble = {
          NotAllowedError: "The browser was not allowed to use the camera. Allow it in the address bar, then start again.",
          NotFoundError: "There is no camera. Plug one in, then start again.",
          OverconstrainedError: "That camera is gone. Choose another.",
          NotReadableError: "The camera is in use by another program. End that, then start again.",
        }[error.name] ?? `The camera cannot be used (${visible(error.name)}).`;
        return false;
      }
      const track = stream.getVideoTracks()[0];
      track.addEventListener("ended", () => { if (stream?.getVideoTracks()[0] === track) { halt(); trouble = "The camera was unplugged or taken away."; showStatus(); } });
      video.srcObject = stream;
      try { await video.play(); } catch { /* its data will come */ }
      // A camera that looks at whoever looks at the screen is shown as a mirror.
      $("mirror").checked = track.getSettings().facingMode !== "environment";
      await camera.list(track.getSettings().deviceId);
      return true;
    },

    close() {
      for (const track of stream?.getTracks() ?? []) track.stop();
      stream = null;
      video.srcObject = null;
      camera.outstanding = null;
    },

    // Keep the frame whose faces the server has found. The one sent last is still on the paper: the next one waits.
    keep(number) {
      const from = sources.remote() ? sources.picture(number) : number === camera.number ? camera.paper : null;
      if (number === null || number === camera.kept || !from) return;
      const { looked } = camera;
      [looked.width, looked.height] = [from.width, from.height];
      looked.getContext("2d").drawImage(from, 0, 0);
      camera.kept = number;
    },

    // Names of cameras are there once one was allowed.
    async list(current) {
      const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
      const select = $("camera");
      select.replaceChildren(...cameras.map(({ deviceId, label }, i) => new Option(visible(label) || `camera ${i + 1}`, deviceId)));
      if (current) select.value = current;
      select.disabled = cameras.length === 0;
    },

    // Send a frame if the server waits for one. The clean picture: neither mirrored nor drawn upon.
    shot() {
      const now = performance.now();
      if (want !== "running" || link.state !== "open" || link.seat !== "yours" || camera.outstanding !== null || camera.busy) return;
      if (!stream || video.readyState < 2 || document.hidden || sources.uploads()) return;
      const rest = 1000 / hello.limits.frames_per_second - (now - camera.sentAt);
      if (rest > 4) {
        clearTimeout(camera.timer);
        camera.timer = setTimeout(camera.shot, rest);
        return;
      }
      const scale = Math.min(1, hello.limits.width / Math.max(video.videoWidth, video.videoHeight));
      const { paper } = camera;
      paper.width = Math.max(1, Math.round(video.videoWidth * scale));
      paper.height = Math.max(1, Math.round(video.videoHeight * scale));
      paper.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, paper.width, paper.height);
      camera.busy = true;
      camera.sentAt = now;
      paper.toBlob(async (blob) => {
        const picture = blob && (await blob.arrayBuffer());
        camera.busy = false;
        if (!picture || want !== "running" || link.state !== "open" || link.seat !== "yours" || sources.uploads()) return;
        const message = new Uint8Array(12 + picture.byteLength);
        const head = new DataView(message.buffer);
        camera.number += 1;
        head.setUint32(0, camera.number);
        head.setFloat64(4, now);
        message.set(new Uint8Array(picture), 12);
        camera.outstanding = camera.number;
        link.socket.send(message);
      }, "image/jpeg", 0.85);
    },
  };

  async function start() {
    if (!agreed || $("start").dataset.busy) return;
    trouble = "";
    if (sources.wanted() !== "camera") {
      const lacks = sources.lacks();
      if (lacks) { alarm(lacks); return; }
      $("problem").hidden = true;
      send({ type: "start" });
      sources.request();
      showStatus();
      return;
    }
    $("start").dataset.busy = "yes";
    const opened = await camera.open($("camera").disabled ? "" : $("camera").value);
    delete $("start").dataset.busy;
    if (opened) {
      send({ type: "start" });
      if (sources.remote()) send({ type: "camera" });
      begin();
    } else if (!sources.remote()) {
      halt();
    }
    showStatus();
  }

  function begin() {
    want = "running";
    $("consent").hidden = true;
    view.hidden = false;
    $("stage").dataset.state = "on";
  }

  // The server shows something else now. A recording is of one source.
  function changed(kind, closed) {
    recorder.stop();
    people.forget();
    camera.kept = null;
    if (kind !== "camera") {
      camera.close();
      trouble = "";
      $("mirror").checked = false;
      begin();
    } else if (want !== "off" && !stream) {
      halt();
      trouble = closed;
    }
    showStatus();
  }

  // Let go of the camera and of the seat.
  function halt() {
    if (want !== "off") send({ type: "stop" });
    want = "off";
    recorder.stop();
    camera.close();
    sources.reset();
    view.hidden = true;
    $("stage").dataset.state = "before";
    $("consent").hidden = false;
    showStatus();
  }

  function pause() {
    if (sources.ended()) {
      send({ type: "again" });
      return;
    }
    if (want === "running") {
      want = "paused";
      video.pause();
    } else if (want === "paused") {
      want = "running";
      if (stream) video.play().catch(() => {});
      sources.resume();
      if (link.seat !== "yours") send({ type: "start" });
    }
    showStatus();
  }

  // -- recording, in this browser -------------------------------------------------------------------------------------

  const recorder = {
    media: null, chunks: [], began: 0, address: "",

    toggle() {
      if (recorder.media) recorder.stop();
      else if (want !== "off") recorder.start();
      showStatus();
    },

    start() {
      const kind = ["video/mp4;codecs=avc1.42E01E", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"]
        .find((type) => window.MediaRecorder?.isTypeSupported(type));
      if (!kind) {
        say($("problem-text"), "This browser cannot record.");
        $("problem").hidden = false;
        return;
      }
      const media = new MediaRecorder(view.captureStream(30), { mimeType: kind, videoBitsPerSecond: 4_000_000 });
      recorder.chunks = [];
      recorder.began = performance.now();
      recorder.media = media;
      media.addEventListener("dataavailable", ({ data }) => recorder.chunks.push(data));
      media.addEventListener("stop", () => recorder.offer(kind));
      media.start(1000);
    },

    stop() {
      if (!recorder.media) return;
      recorder.media.stop();
      recorder.media.stream.getTracks().forEach((track) => track.stop());
      recorder.media = null;
    },

    offer(kind) {
      if (recorder.address) URL.revokeObjectURL(recorder.address);
      const film = new Blob(recorder.chunks, { type: kind });
      recorder.chunks = [];
      recorder.address = URL.createObjectURL(film);
      const now = new Date();
      const two = (n) => String(n).padStart(2, "0");
      const stamp = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
      const download = $("download");
      download.href = recorder.address;
      download.download = `coabench-${stamp}.${kind.includes("mp4") ? "mp4" : "webm"}`;
      say(download, `Save the recording (${(film.size / 1e6).toFixed(1)} MB)`);
      download.hidden = false;
    },
  };

  // -- the overlay ----------------------------------------------------------------------------------------------------

  // How old an answer is now: as old as the server said, and the time since the frame that it counted from.
  function age(face) {
    if (face.age === null) return null;
    const now = want === "paused" ? paused.at : performance.now();
    return Math.max(0, face.age + (now - seen.captured) / 1000);
  }

  const paused = { at: 0 };
  // Nothing new although it should be; or nothing at all yet.
  const silent = () => want !== "paused" && (seen === null || performance.now() - seen.came > 2500);
  const isStale = (face) => face.stale || link.state !== "open" || silent();
  const named = ({ label, why }) => (label !== null ? visible(label) : why === null ? "…" : `no label: ${visible(why)}`);
  const title = (face) => (face.smoothed ? visible(face.smoothed) : named(face));
  const lacksLabel = (face) => face.why !== null && !face.smoothed;
  const beside = coabench.beside({ element, visible, percent, named });
  const controls = coabench.controls({ element, visible, send });
  const people = coabench.people({ element, visible, send });
  const sources = coabench.sources({
    visible, send, changed, alarm, start,
    sendBytes: (data) => { if (link.state === "open") link.socket.send(data); },
    on: () => want !== "off",
    shows: () => want === "running",
  });
  const several = () => (hello?.answerers.length ?? 0) > 1;
  const share = (face) => (face.confidence === null || face.smoothed || face.label === null ? "" : percent(face.confidence));
  const faces = () => (want === "off" || !seen || sources.uploads() ? [] : seen.faces);

  // A text that is written from right to left does not reorder what stands beside it.
  const isolated = (text) => (/[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(text) ? `\u2068${text}\u2069` : text);

  function chain(turns, asking, plain) {
    const parts = turns.map((turn) => isolated(visible(turn.label ?? "no label")));
    if (asking) parts.push("…");
    return parts.join(plain);
  }

  // Turns are shown as they arrive where that can be followed with the eye, else those of the last answer.
  const lastTurns = new Map(); // track -> the turns of its last answer
  const followed = () => (seen.rates.median ?? 1) > 0.5;
  const turnsOf = (face) => (followed() ? face.turns : lastTurns.get(face.track) ?? face.turns);
  const lengths = new Map(); // strategy -> how many turns its answers had
  const expected = (face) => lengths.get(seen.strategy) ?? face.turns.length + 1;
  const underWay = (face) => face.asking && (face.outcome === null || (followed() && face.turns.length < expected(face)));
  const isNext = (face) => face.outcome !== null && underWay(face); // what is asked now, under the answer before it

  function draw() {
    const ground = sources.picture() ?? video;
    const [width, height] = ground === video ? [video.videoWidth, video.videoHeight] : [ground.width, ground.height];
    if (!width) return;
    // As sharp as the screen, unless a film is being made: its size must stay.
    const wanted = Math.min(1920, Math.max(width, Math.round(view.clientWidth * devicePixelRatio)));
    const wantedHeight = Math.round((wanted * height) / width);
    if (!recorder.media && (view.width !== wanted || view.height !== wantedHeight)) [view.width, view.height] = [wanted, wantedHeight];
    const scale = Math.min(view.width / width, view.height / height);
    const place = { x: (view.width - width * scale) / 2, y: (view.height - height * scale) / 2, width: width * scale, height: height * scale };
    const mirror = $("mirror").checked;
    sheet.setTransform(1, 0, 0, 1, 0, 0);
    sheet.fillStyle = "#101114";
    sheet.fillRect(0, 0, view.width, view.height);
    sheet.setTransform(mirror ? -1 : 1, 0, 0, 1, mirror ? view.width : 0, 0);
    const exact = $("exact").checked && camera.kept !== null;
    sheet.drawImage(exact ? camera.looked : ground, place.x, place.y, place.width, place.height);
    sheet.setTransform(1, 0, 0, 1, 0, 0);
    if (!seen?.size) return;
    const unit = view.width / Math.max(1, view.clientWidth || view.width);
    overlay.draw(sheet, unit, faces().map((face) => ({
      track: face.track, box: boxOf(face, place, mirror), style: styleOf(face), lines: linesAbout(face),
    })));
  }

  function boxOf(face, place, mirror) {
    const [x, y] = [place.width / seen.size[0], place.height / seen.size[1]];
    let [left, top, right, bottom] = face.box;
    if (mirror) [left, right] = [seen.size[0] - right, seen.size[0] - left];
    return [place.x + left * x, place.y + top * y, place.x + right * x, place.y + bottom * y];
  }

  // The line of a box says without colour what its answer is: there, too old, or awaited.
  const styleOf = (face) => (face.outcome === null ? "dotted" : isStale(face) ? "dashed" : "solid");

  function linesAbout(face) {
    const old = isStale(face);
    const first = [{ text: `#${face.track}  ${face.name ? `${visible(face.name)}  ` : ""}`, bold: true }, { text: title(face), bold: true, ink: lacksLabel(face) ? "notice" : "text" }];
    if (share(face)) first.push({ text: `  ${share(face)}`, bold: true });
    if (several()) first.splice(1, 0, { text: "A  ", ink: "quiet" });
    const others = beside.pieces(face);
    first.push(...others.first);
    const lines = [first, ...others.lines];
    const turns = turnsOf(face);
    if (turns.length > 1 || underWay(face)) lines.push([{ text: (isNext(face) ? "next: " : "") + chain(turns, underWay(face), " → "), ink: "quiet" }]);
    const years = age(face);
    if (years !== null) {
      lines.push([{ text: `${years.toFixed(1)} s old${face.smoothed ? ` · vote of ${seen.settings.smooth}` : ""}`, ink: "quiet" }]);
      if (old) lines.at(-1).push({ text: "  stale", ink: "notice" });
    }
    return lines;
  }

  // -- the cards ------------------------------------------------------------------------------------------------------

  const cards = new Map(); // track -> the card's nodes

  function makeCard(track) {
    const card = {
      who: element("span"), number: element("span", { class: "number-chip", "aria-hidden": "true" }, String(track)), age: element("span"), label: element("span"), share: element("span", { class: "share" }),
      stages: element("ol"), vote: element("p", { class: "vote", hidden: "" }), shown: "",
      person: people.controlsOf(track), others: element("div"), bars: element("div", { class: "bars" }), heard: "", weighed: "",
    };
    card.number.style.color = overlay.paint(track).ink;
    card.root = tinted(element("article", { class: "face" },
      element("p", { class: "who" }, element("span", {}, card.person.thumbnail, card.number, " ", card.who), card.age),
      element("p", { class: "label" }, card.label, " ", card.share),
      card.stages, card.vote, card.others, card.bars, card.person.root), track);
    $("faces").append(card.root);
    return card;
  }

  function showCards() {
    const shown = faces();
    const present = new Set(shown.map(({ track }) => track));
    for (const [track, card] of cards) if (!present.has(track)) { card.root.remove(); cards.delete(track); lastTurns.delete(track); }
    for (const face of shown) {
      if (!cards.has(face.track)) cards.set(face.track, makeCard(face.track));
      const card = cards.get(face.track);
      const old = isStale(face);
      const years = age(face);
      card.root.classList.toggle("stale", old);
      card.root.classList.toggle("awaited", face.outcome === null);
      card.root.classList.toggle("none", lacksLabel(face));
      card.person.show(face, present, camera.kept === seen.frame ? camera.looked : null, camera.looked.width / seen.size[0]);
      say(card.who, `${people.called(face.track)} · found with ${percent(face.score)}`);
      say(card.age, years === null ? "" : `${years.toFixed(1)} s old${old ? ", stale" : ""}`);
      card.age.classList.toggle("badge", old && years !== null);
      say(card.label, lacksLabel(face) ? "no label" : title(face));
      say(card.share, lacksLabel(face) ? visible(face.why) : share(face));
      const stages = JSON.stringify([turnsOf(face), underWay(face)]);
      if (stages !== card.shown) {
        card.shown = stages;
        card.stages.replaceChildren(...(isNext(face) ? [element("li", { class: "name" }, "next:")] : []), ...turnsOf(face).map(stage), ...(underWay(face) ? [element("li", { class: "quiet" }, "asking …")] : []));
      }
      card.vote.hidden = !face.smoothed;
      const others = JSON.stringify(face.beside);
      if (others !== card.heard) {
        card.heard = others;
        card.others.replaceChildren(...(face.beside.length ? [beside.list(face)] : []));
      }
      const weighed = $("bars").checked ? JSON.stringify(turnsOf(face)) : "";
      if (weighed !== card.weighed) {
        card.weighed = weighed;
        card.bars.replaceChildren(...(weighed ? beside.bars(turnsOf(face)) : []));
      }
      if (face.smoothed) say(card.vote, `vote of the last ${seen.settings.smooth}; the newest: ${named(face)}`);
    }
    const quiet = sources.uploads() ? "Nothing is looked at while a film is sent." : want === "off" ? "The camera is off." : "No face in the picture.";
    say($("nobody"), quiet);
    $("nobody").hidden = shown.length > 0;
  }

  function stage(turn) {
    const confidence = turn.confidence === null ? "" : ` ${percent(turn.confidence)}`;
    const said = turn.label === null ? `no label in “${visible(turn.response)}”` : visible(turn.label);
    return element("li", {}, element("span", { class: "name" }, `${visible(turn.name)} `), element("bdi", {}, said), confidence);
  }

  function showRates() {
    if (!seen) return;
    const { rates } = seen;
    beside.showAgreements($("agreement"), seen.agreements);
    say($("answerers"), seen.answerers.map(({ name, about }) => `${name}: ${visible(about)}`).join("\n"));
    const on = link.state === "open" && !silent(); // else nothing goes
    say($("rate"), on ? rates.answers_per_second.toFixed(1) : "–");
    say($("median"), on ? duration(rates.median) : "–");
    say($("p95"), on ? duration(rates.p95) : "–");
    gauges.show(rates, seen.gauges, on);
    say($("count"), rates.answers.toLocaleString("en"));
  }

  // -- the timeline ---------------------------------------------------------------------------------------------------

  const timeline = {
    svg: $("timeline"), labels: [], spans: [], rows: [], gutter: 0, width: 0, height: 0, ends: 0,

    node(tag, attributes, text) {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      if (text !== undefined) made.textContent = text;
      return made;
    },

    relabel(labels) {
      timeline.labels = labels;
      timeline.layout();
    },

    // All labels where there is room for them, else those that were given.
    wanted() {
      const given = new Set(timeline.spans.map(({ label }) => label));
      const known = timeline.labels.length <= 14 ? timeline.labels : timeline.labels.filter((label) => given.has(label));
      return given.has(null) ? [...known, null] : known;
    },

    layout() {
      const { svg, node } = timeline;
      timeline.rows = timeline.wanted();
      timeline.width = Math.max(200, svg.parentElement.clientWidth);
      const longest = Math.max(8, ...timeline.rows.map((label) => (label ?? "no label").length));
      timeline.gutter = Math.min(timeline.width * 0.42, longest * 6.6 + 12);
      timeline.height = timeline.rows.length * 20 + 24;
      svg.setAttribute("viewBox", `0 0 ${timeline.width} ${timeline.height}`);
      svg.setAttribute("height", timeline.height);
      const frame = node("g", {});
      timeline.rows.forEach((label, row) => {
        const y = row * 20 + 10;
        frame.append(node("line", { class: "row", x1: timeline.gutter, x2: timeline.width, y1: y, y2: y }));
        frame.append(node("text", { x: timeline.gutter - 10, y: y + 4, "text-anchor": "end" }, visible(label ?? "no label")));
      });
      const low = timeline.rows.length * 20;
      const narrow = timeline.width - timeline.gutter < 320;
      for (const ago of narrow ? [120, 60, 0] : [120, 90, 60, 30, 0]) {
        const x = timeline.x(timeline.ends - ago * 1000);
        frame.append(node("line", { class: "tick-line", x1: x, x2: x, y1: 0, y2: low }));
        const anchor = ago === 0 ? "end" : ago === 120 ? "start" : "middle";
        frame.append(node("text", { x, y: low + 17, "text-anchor": anchor }, ago === 0 ? "now" : `${ago} s ago`));
      }
      timeline.layer = node("g", {});
      svg.replaceChildren(frame, timeline.layer);
      for (const span of timeline.spans) span.node = null;
      timeline.draw(timeline.ends);
    },

    x(time) {
      return timeline.width - ((timeline.ends - time) / WINDOW) * (timeline.width - timeline.gutter);
    },

    add({ captured, track, label }) {
      const before = timeline.spans.findLast((span) => span.track === track);
      const recent = before && captured - before.until < Math.max(3000, 2 * before.step);
      if (recent) before.step = captured - before.until;
      if (recent) before.until = captured; // an answer holds until the next one
      if (!recent || before.label !== label) timeline.spans.push({ track, label, since: captured, until: captured, step: 0, node: null });
      if (timeline.wanted().length !== timeline.rows.length) timeline.layout();
    },

    draw(now) {
      timeline.ends = now;
      const gone = timeline.spans.filter((span) => span.until < now - WINDOW);
      for (const span of gone) span.node?.remove();
      timeline.spans = timeline.spans.filter((span) => span.until >= now - WINDOW);
      const several = new Set(timeline.spans.map(({ track }) => track)).size > 1;
      for (const span of timeline.spans) {
        if (!span.node) {
          span.node = tinted(timeline.node("rect", { class: "span", rx: 1.5 }), span.track);
          timeline.layer.append(span.node);
        }
        const left = Math.max(timeline.gutter, timeline.x(span.since));
        const row = timeline.rows.indexOf(span.label) * 20 + 10;
        span.node.setAttribute("x", left);
        span.node.setAttribute("width", Math.max(2, Math.min(timeline.width, timeline.x(span.until)) - left));
        span.node.setAttribute("y", several ? row - 7 + ((span.track - 1) % 3) * 4.5 : row - 5);
        span.node.setAttribute("height", several ? 4.5 : 10);
      }
    },
  };

  function noteAnswer(sent) {
    const message = { ...sent, captured: sources.at(sent.captured) };
    if (message.answerer === hello.answerers[0].name) { // the timeline is the first one's
      gauges.arrived(message);
      lengths.set(message.strategy, message.turns.length);
      if (message.turns.length) lastTurns.set(message.track, message.turns);
      timeline.add(message);
    }
    const row = element("tr", {},
      element("td", {}, new Date(performance.timeOrigin + message.captured).toLocaleTimeString("en-GB")),
      element("td", {}, tinted(element("span", { class: "swatch" }), message.track), String(message.track)),
      ...(several() ? [element("td", {}, message.answerer)] : []),
      element("td", message.why === null ? {} : { class: "none" }, named(message)),
      element("td", { class: "chain" }, chain(message.turns, false, " → ")),
      element("td", { class: "number" }, share(message) || "–"),
      element("td", { class: "number" }, duration(message.seconds)));
    const body = $("latest");
    body.prepend(row);
    while (body.rows.length > LATEST) body.lastElementChild.remove();
    legend();
  }

  // The newest faces only: colours come again after that.
  function legend() {
    const known = [...new Set(timeline.spans.map(({ track }) => track))].sort((a, b) => a - b).slice(-LEGEND);
    if ($("legend").dataset.shown === String(known)) return;
    $("legend").dataset.shown = String(known);
    $("legend").replaceChildren(...known.map((track) => element("li", {}, tinted(element("span", { class: "swatch" }), track), `Face ${track}`)));
  }

  // -- the status line ------------------------------------------------------------------------------------------------

  function status() {
    if (link.state === "refused") return "This address is no longer valid. Open the one that the server printed last.";
    if (link.state === "lost") {
      const rest = Math.max(1, Math.ceil((link.retryAt - performance.now()) / 1000));
      return `${link.why || "The server does not answer."} Trying again in ${rest} s.`;
    }
    if (link.state === "connecting") return link.why ? `${link.why} Trying again …` : "Connecting to the server …";
    if (trouble) return trouble;
    if (link.seat === "taken") return want === "off"
      ? "Somebody else is connected. You can start when they stop."
      : "Somebody else is connected. It goes on here when they stop.";
    if (sources.status(seen)) return sources.status(seen);
    if (want === "off") return agreed ? "Ready. The camera is off." : "Connected. The camera is off.";
    if (want === "paused") return "Paused. Nothing is sent.";
    if (seen?.switching) return `Making ${visible(seen.switching)} ready …`;
    if (silent()) return "Waiting for the server …";
    return seen.faces.length === 0 ? "Running. No face in the picture." : `Running. ${seen.faces.length === 1 ? "One face" : `${seen.faces.length} faces`} in the picture.`;
  }

  function showStatus() {
    const on = link.state === "open";
    const taken = link.seat === "taken";
    say($("status"), status());
    $("agree").disabled = !on || taken;
    $("start").disabled = want === "off" && (!on || taken || !agreed || sources.busy());
    say($("agree"), sources.wanted() === "camera" ? "Everybody agrees: start the camera" : "Everybody agrees: start");
    sources.show({ free: on && !taken && !seen?.switching });
    say($("start"), want === "off" ? "Start" : "Stop");
    $("pause").disabled = want === "off";
    say($("pause"), sources.ended() ? "Play again" : want === "paused" ? "Resume" : "Pause");
    $("record").disabled = want === "off";
    say($("record"), recorder.media ? "Stop recording" : "Record");
    $("strategy").disabled = !on || taken || Boolean(seen?.switching);
    if (seen) controls.show(seen, { on, taken, yours: link.seat === "yours" && want === "running" });
    $("rec").hidden = !recorder.media;
    if (recorder.media) {
      const seconds = Math.floor((performance.now() - recorder.began) / 1000);
      say($("rec-time"), `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
    }
    const mark = want === "off" ? "" : want === "paused" ? "Paused" : !on ? "No connection" : taken ? "Waiting" : "";
    say($("mark"), mark);
    $("mark").hidden = !mark;
  }

  // -- hands ----------------------------------------------------------------------------------------------------------

  const doPause = () => { paused.at = performance.now(); pause(); };
  $("agree").addEventListener("click", () => { agreed = true; start(); });
  $("start").addEventListener("click", () => (want === "off" ? start() : halt()));
  $("pause").addEventListener("click", doPause);
  $("record").addEventListener("click", recorder.toggle);
  $("problem-close").addEventListener("click", () => { $("problem").hidden = true; });
  $("camera").addEventListener("change", () => { if (want !== "off") start(); });
  $("strategy").addEventListener("change", ({ target }) => { $("problem").hidden = true; send({ type: "strategy", name: target.value }); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("button, input, select, a, textarea")) return;
    if (event.key === " " && want !== "off") { event.preventDefault(); doPause(); }
    if (event.key === "r" && want !== "off") recorder.toggle();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && link.state === "lost") connect();
    if (!document.hidden && want === "running" && link.seat === "free") send({ type: "start" });
  });
  addEventListener("online", () => { if (link.state === "lost") connect(); });
  addEventListener("beforeunload", (event) => { if (recorder.media) event.preventDefault(); });
  navigator.mediaDevices?.addEventListener("devicechange", () => { if (stream) camera.list($("camera").value); });
  new ResizeObserver(() => timeline.layout()).observe($("timeline").parentElement);

  const everyFrame = () => {
    if (want !== "off") { draw(); camera.shot(); }
    requestAnimationFrame(everyFrame);
  };
  requestAnimationFrame(everyFrame);

  let rolled = 0;
  setInterval(() => {
    if (link.state !== "lost" && link.state !== "refused" && performance.now() - link.received > SILENCE) {
      link.socket?.close(); // which may take its time: nobody waits for it
      lost();
    }
    if (link.state === "lost" || link.state === "connecting" || want !== "off") showStatus();
    if (seen) { showCards(); showRates(); }
    const now = performance.now();
    if (want === "running" && now - rolled > (calm.matches ? 1000 : 190)) {
      rolled = now;
      timeline.draw(now);
    }
  }, 200);

  timeline.layout();
  connect();
});
