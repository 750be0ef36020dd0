// The picture at the cursor: the recording, pictures of it, or only where the faces were.
"use strict";

coabench.picture = (session) => {
  const { element } = coabench;
  const { film, answers, lines } = session;
  const place = document.getElementById("picture");
  const canvas = element("canvas", { "aria-hidden": "true" });
  const said = element("p", {});
  said.hidden = true;
  let [boxes, time, wanted, shown] = [!film?.drawn, 0, null, null];
  let size = film?.size;
  let video = null;
  let image = null;

  function say(text) {
    said.textContent = text;
    said.hidden = !text;
  }

  if (film?.pictures) {
    image = element("img", { alt: "" });
    place.append(image);
  } else if (film) {
    video = element("video", { playsinline: "", preload: "auto", width: size[0], height: size[1], "aria-label": `The recording ${film.name}` });
    video.muted = true;
    if (film.data) {
      const bytes = atob(film.data);
      const array = new Uint8Array(bytes.length);
      for (let i = 0; i < bytes.length; i += 1) array[i] = bytes.charCodeAt(i);
      video.src = URL.createObjectURL(new Blob([array], { type: film.type }));
      film.data = "";
    } else video.src = film.address.split("/").map(encodeURIComponent).join("/");
    video.addEventListener("error", () => {
      say(film.address ? `The recording cannot be played: ${film.address} is not there, or this browser does not know its format.` : "This browser does not know the format of the recording.");
    });
    video.addEventListener("seeked", () => { if (wanted !== null) goTo(wanted); else draw(); });
    video.addEventListener("loadeddata", () => { draw(); });
    place.append(video);
  } else {
    // Room for all boxes, in steps, so that pictures of one camera look alike.
    const reach = (n) => answers.box.reduce((most, box) => Math.max(most, box[n]), 0);
    size = [Math.max(320, reach(2)), Math.max(240, reach(3))];
    canvas.classList.add("alone");
    say("No recording was named: this is where the faces were.");
  }
  place.append(canvas, said);

  function goTo(second) {
    if (video.seeking) { wanted = second; return; }
    wanted = null;
    if (Math.abs(video.currentTime - second) > 0.005) video.currentTime = second;
  }

  function draw() {
    const wide = (video || image || place).clientWidth || place.clientWidth;
    const high = video || image ? (video || image).clientHeight : 0;
    const ratio = window.devicePixelRatio || 1;
    const scale = high ? Math.min(wide / size[0], high / size[1]) : wide / size[0];
    canvas.width = Math.round(ratio * wide);
    canvas.height = Math.round(ratio * (high || scale * size[1]));
    if (!boxes && film) return;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.translate((wide - scale * size[0]) / 2, high ? (high - scale * size[1]) / 2 : 0);
    context.font = "600 14px system-ui, sans-serif";
    context.textBaseline = "middle";
    const drawn = new Set();
    for (const line of lines) {
      const i = session.at(line, time);
      if (i < 0 || drawn.has(line.face)) continue;
      drawn.add(line.face);
      const [left, top, right, bottom] = answers.box[i].map((edge) => scale * edge);
      const { colour, ink } = session.colour(line.face);
      context.lineWidth = 5;
      context.strokeStyle = "#101216";
      context.strokeRect(left, top, right - left, bottom - top);
      context.lineWidth = 2.5;
      context.strokeStyle = colour;
      context.strokeRect(left, top, right - left, bottom - top);
      const name = String(session.faces[line.face]);
      const width = context.measureText(name).width + 10;
      const above = Math.max(0, top - 20);
      context.fillStyle = colour;
      context.fillRect(left, above, width, 20);
      context.fillStyle = ink;
      context.fillText(name, left + 5, above + 10.5);
    }
  }
  new ResizeObserver(draw).observe(place);

  const inside = (now) => !film || (now >= film.begins && now <= film.begins + film.length + 0.05);
  return {
    video,
    boxes(on) { boxes = on; draw(); },
    get boxed() { return boxes; },
    // The time of the session that the film shows, while it plays.
    get clock() { return video.currentTime + film.begins; },
    playable: (now) => Boolean(video) && !video.error && video.readyState > 1 && inside(now) && now < film.begins + film.length - 0.05,
    show(now, playing) {
      time = now;
      if (image) {
        const n = session.last(film.times, now - film.begins);
        const next = n >= 0 && inside(now) ? film.pictures[n] : null;
        if (next !== shown) { shown = next; if (next) image.src = next; }
        say(inside(now) ? "" : "The recording does not cover this time.");
      } else if (video) {
        if (!playing) goTo(Math.max(0, Math.min(film.length, now - film.begins)));
        if (!video.error) say(inside(now) ? "" : "The recording does not cover this time.");
      }
      draw();
    },
  };
};
