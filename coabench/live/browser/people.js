// Faces have names, if the viewer gives them some, and thumbnails; one that comes back with a new number can be merged.
"use strict";

coabench.people = ({ element, visible, send }) => {
  const EARLIER = 12; // faces that a face may be merged into
  const met = new Map(); // number -> name, the newest last
  const called = (track) => (met.get(track) ? `${visible(met.get(track))} · face ${track}` : `Face ${track}`);

  function forget() { met.clear(); }

  // The controls of one face: a thumbnail for its card, and what stands below its answers.
  function controlsOf(track) {
    const thumbnail = element("canvas", { class: "thumbnail", width: "48", height: "48", "aria-hidden": "true" });
    const name = element("input", { type: "text", maxlength: "40", autocomplete: "off", id: `name-${track}` });
    const same = element("select", { id: `same-${track}` });
    const merging = element("div", { class: "field", hidden: "" }, element("label", { for: same.id }, "is also"), same);
    const root = element("details", { class: "person" }, element("summary", {}, "Name"),
      element("div", { class: "field" }, element("label", { for: name.id }, "Name"), name), merging);
    name.addEventListener("change", () => send({ type: "name", track: String(track), name: name.value }));
    same.addEventListener("change", () => { if (same.value) send({ type: "merge", track: String(track), into: same.value }); });
    let drawn = -Infinity, offered = "";

    // picture: the frame that the boxes belong to; scale: its pixels in one of theirs.
    function show(face, present, picture, scale) {
      met.delete(track);
      met.set(track, face.name);
      if (document.activeElement !== name) name.value = face.name ?? "";
      const others = [...met.keys()].filter((other) => !present.has(other)).slice(-EARLIER).reverse();
      const titles = JSON.stringify(others.map(called));
      if (titles !== offered && document.activeElement !== same) {
        offered = titles;
        same.replaceChildren(new Option("nobody seen before", ""), ...others.map((other) => new Option(called(other), other)));
      }
      merging.hidden = others.length === 0;
      const now = performance.now();
      if (picture && now - drawn > 1000) {
        drawn = now;
        const [left, top, right, bottom] = face.box.map((side) => side * scale);
        const side = Math.max(right - left, bottom - top);
        const [x, y] = [(left + right - side) / 2, (top + bottom - side) / 2];
        thumbnail.getContext("2d").drawImage(picture, x, y, side, side, 0, 0, thumbnail.width, thumbnail.height);
      }
    }

    return { root, thumbnail, show };
  }

  return { called, controlsOf, forget };
};
