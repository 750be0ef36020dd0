// What is drawn over the camera's picture: boxes, their numbers, plates of text. As in the window: coabench/live/overlay.
"use strict";

coabench.overlay = () => {
  const COLOURS = coabench.data("colours");
  const CROWD = 2; // faces from which a short plate at the face comes before the full one away from it
  const PATIENCE = 15; // frames for which a plate that had to say less does so, though there is room for more again
  const ENOUGH = 1.25; // where every place hides something, a plate stays where it hides so many times as much as it must
  const DASHES = { solid: [], dashed: [8, 6], dotted: [2.5, 3] };

  const paint = (track) => COLOURS.faces[(track - 1) % COLOURS.faces.length];

  // -- where a plate goes ---------------------------------------------------------------------------------------------
  // Areas are [left, top, right, bottom], as the boxes are.

  const shared = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const gap = (a, b) => Math.hypot(Math.max(a[0] - b[2], b[0] - a[2], 0), Math.max(a[1] - b[3], b[1] - a[3], 0));
  const apart = (a, b) => Math.abs(a[0] + a[2] - b[0] - b[2]) + Math.abs(a[1] + a[3] - b[1] - b[3]);
  const leastBy = (areas, cost) => areas.reduce((best, area) => (cost(area) < cost(best) ? area : best));

  function room({ width, height }, plates, faces) {
    const inside = (plate, x, y) => {
      const [left, top] = [Math.max(0, Math.min(x, width - plate.width)), Math.max(0, Math.min(y, height - plate.height))];
      return [left, top, left + plate.width, top + plate.height];
    };
    // How much an area hides; a plate's own face is hidden before another is.
    const hides = (area, own) => plates.reduce((sum, other) => sum + 10 * shared(area, other), 0)
      + faces.reduce((sum, other) => sum + (other === own ? 1 : 3) * shared(area, other), 0);
    const free = (area) => hides(area) < 1;
    const spot = (area, at) => ({ area, at, free: free(area) });
    return {
      // Above the face, else below, at its right, its left, at last inside; the side on which it was comes first.
      beside(plate, face, before) {
        const [left, top, right, bottom] = face;
        const { width: wide, height: high } = plate;
        const tries = [[left, top - high], [left, bottom], [right, top], [left - wide, top], [right - wide, top - high],
          [right - wide, bottom], [right, bottom - high], [left - wide, bottom - high], [left, bottom - high], [left, top]];
        const order = [...tries.keys()].sort((a, b) => (b === before?.at) - (a === before?.at) || a - b);
        const spots = order.map((at) => [inside(plate, ...tries[at]), at]);
        const near = spots.filter(([area]) => gap(area, face) < 1);
        return spot(...leastBy(near.length ? near : spots, ([area]) => hides(area, face)));
      },

      // The free place nearest to the face: one that touches an edge of the picture, a face or a plate. Where it was it
      // stays while that is as free, and not farther by more than the plate is high.
      nearest(plate, face, before) {
        const there = [...plates, ...faces];
        const lefts = [0, width - plate.width, face[0], ...there.flatMap((b) => [b[2], b[0] - plate.width])];
        const tops = [0, height - plate.height, face[1], ...there.flatMap((b) => [b[3], b[1] - plate.height])];
        const spots = lefts.flatMap((x) => tops.map((y) => inside(plate, x, y)))
          .sort((a, b) => gap(a, face) - gap(b, face) || apart(a, face) - apart(b, face) || a[0] - b[0] || a[1] - b[1]);
        const found = spots.find(free) ?? leastBy(spots, (area) => hides(area, face));
        if (before) {
          const area = inside(plate, before.area[0], before.area[1]);
          const near = gap(area, face) <= gap(found, face) + plate.height;
          if (near && (free(found) ? free(area) : hides(area, face) <= ENOUGH * hides(found, face))) return spot(area, null);
        }
        return spot(found, null);
      },
    };
  }

  // The ends of the shortest line from a plate to the box of its face.
  function leader(plate, face) {
    const along = (low, high, otherLow, otherHigh) => {
      if (high < otherLow) return [high, otherLow];
      if (otherHigh < low) return [low, otherHigh];
      const middle = (Math.max(low, otherLow) + Math.min(high, otherHigh)) / 2;
      return [middle, middle];
    };
    const [x, toX] = along(plate[0], plate[2], face[0], face[2]);
    const [y, toY] = along(plate[1], plate[3], face[1], face[3]);
    return [x, y, toX, toY];
  }

  // -- how it is drawn ------------------------------------------------------------------------------------------------

  const font = (size, bold) => `${bold ? 600 : 400} ${size}px system-ui, sans-serif`;

  // How large a plate is; smaller text where it would be wider than the picture.
  function measured(sheet, lines, size, most) {
    const [pad, edge] = [size * 0.45, size * 0.25];
    const widths = lines.map((line) => line.reduce((sum, { text, bold }) => {
      sheet.font = font(size, bold);
      return sum + sheet.measureText(text).width;
    }, 0));
    const width = Math.max(...widths) + 2 * pad + edge;
    if (width > most && size > 7) return measured(sheet, lines, Math.max(7, Math.min(size - 1, (size * most) / width)), most);
    return { lines, size, pad, edge, width: Math.min(width, most), height: size * (1.3 * lines.length + 0.5) };
  }

  function drawPlate(sheet, plate, [left, top], { colour }) {
    sheet.fillStyle = `${COLOURS.back}cc`;
    sheet.fillRect(left, top, plate.width, plate.height);
    sheet.fillStyle = colour;
    sheet.fillRect(left, top, plate.edge, plate.height);
    sheet.textBaseline = "middle";
    plate.lines.forEach((line, row) => {
      let x = left + plate.edge + plate.pad;
      for (const { text, bold, ink } of line) { // from left to right, whichever way the script of each is written
        sheet.font = font(plate.size, bold);
        sheet.fillStyle = COLOURS[ink ?? "text"];
        sheet.fillText(text, x, top + plate.size * (0.25 + 1.3 * (row + 0.5)));
        x += sheet.measureText(text).width;
      }
    });
  }

  function drawNumber(sheet, [left, top], track, size) {
    const { colour, ink } = paint(track);
    sheet.font = font(size, true);
    const width = sheet.measureText(track).width + 0.6 * size;
    const x = Math.min(left, sheet.canvas.width - width);
    sheet.fillStyle = colour;
    sheet.fillRect(x, top, width, 1.3 * size);
    sheet.fillStyle = ink;
    sheet.textBaseline = "middle";
    sheet.fillText(track, x + 0.3 * size, top + 0.68 * size);
  }

  // With a dark rim, which makes it visible on any picture.
  function stroke(sheet, { colour }, unit, dashes, trace) {
    for (const [style, thickness] of [[`${COLOURS.back}b0`, 5], [colour, 2.5]]) {
      sheet.strokeStyle = style;
      sheet.lineWidth = thickness * unit;
      sheet.setLineDash(style === colour ? dashes.map((length) => length * unit) : []);
      sheet.beginPath();
      trace();
      sheet.stroke();
    }
    sheet.setLineDash([]);
  }

  const seats = new Map(); // number of a face -> where its plate was in the frame before, and how much it said

  // faces: [{ track, box, style, lines }], lines of pieces { text, bold, ink }; unit: pixels of the canvas in one of CSS.
  function draw(sheet, unit, faces) {
    const { canvas } = sheet;
    const boxes = faces.map(({ box }) => [Math.max(0, box[0]), Math.max(0, box[1]), Math.min(canvas.width, box[2]), Math.min(canvas.height, box[3])]);
    sheet.lineJoin = "round";
    faces.forEach(({ track, style }, i) => {
      const [left, top, right, bottom] = boxes[i];
      stroke(sheet, paint(track), unit, DASHES[style], () => sheet.rect(left, top, right - left, bottom - top));
    });
    const taken = [];
    const plates = faces.map(({ track, lines }, i) => {
      const here = room(canvas, taken, boxes);
      const [full, brief, small] = [[lines, 14], [lines.slice(0, 1), 14], [lines.slice(0, 1), 10.5]]
        .map(([said, size]) => measured(sheet, said, size * unit, canvas.width));
      const tries = [["full beside", full, here.beside], ["brief beside", brief, here.beside], ["brief near", brief, here.nearest], ["small near", small, here.nearest]];
      if (faces.length <= CROWD) tries.splice(1, 0, ["full near", full, here.nearest]);
      const before = seats.get(track);
      const last = tries.findIndex(([level]) => level === before?.level);
      let plate, seat;
      tries.some(([level, size, find], place) => {
        if (place < last && before.waits) return false;
        const found = find(size, boxes[i], before?.level === level ? before : null);
        [plate, seat] = [size, { ...found, level, waits: last >= 0 && place > last ? PATIENCE : Math.max(0, (before?.waits ?? 0) - 1) }];
        return found.free;
      });
      seats.set(track, seat);
      const { area } = seat;
      taken.push(area);
      if (gap(area, boxes[i]) >= 1) {
        const [x, y, toX, toY] = leader(area, boxes[i]);
        stroke(sheet, paint(track), unit, [], () => { sheet.moveTo(x, y); sheet.lineTo(toX, toY); });
      }
      return { plate, area, track };
    });
    for (const track of seats.keys()) if (!faces.some((face) => face.track === track)) seats.delete(track);
    faces.forEach(({ track }, i) => drawNumber(sheet, boxes[i], track, 12 * unit));
    for (const { plate, area, track } of plates) drawPlate(sheet, plate, area, paint(track));
    return plates.map(({ area }) => area);
  }

  return { draw, paint };
};
