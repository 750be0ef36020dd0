// Where the picture comes from: this browser's camera, or in its place a film or an address that the server reads.
"use strict";

coabench.sources = ({ visible, send, sendBytes, changed, alarm, start, on, shows }) => {
  const KEPT = 12; // pictures of the server's source, for when their faces are found
  const TITLES = { camera: "this browser's camera", film: "a film", address: "an address" };
  const CLOSED = "What was looked at was closed: the connection was lost, or nothing was heard of this page for long. Start again.";
  const $ = (id) => document.getElementById(id);
  const select = $("source");
  const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

  let limits = null;
  let now = { kind: "camera", name: "", since: 0, ended: false }; // what the server says
  let sending = null; // the film that is sent, and how much of it is there
  let asked = false; // something was asked for that is not there yet
  let left = -1; // the first frame of what was stopped here; the server may not know yet
  let owed = null; // a picture that has not been acknowledged: the page was paused
  let offset = 0; // from the server's clock to this page's, in milliseconds
  let newest = null;
  const pictures = new Map(); // number -> picture, the newest last

  const wanted = () => select.value || "camera";
  const remote = () => now.kind !== "camera";

  function welcome(hello) {
    limits = hello.limits;
    const kinds = ["camera", ...["film", "address"].filter((kind) => hello.sources[kind])];
    const before = wanted();
    select.replaceChildren(...kinds.map((kind) => new Option(TITLES[kind], kind)));
    select.value = kinds.includes(before) ? before : "camera";
    $("source-field").hidden = kinds.length < 2;
    $("films").hidden = !hello.sources.film;
    if (remote()) follow({ kind: "camera", name: "", since: 0, ended: false });
    [sending, asked, left] = [null, false, -1];
    fields();
  }

  function fields() {
    for (const kind of ["camera", "film", "address"]) $(`${kind}-field`).hidden = wanted() !== kind;
  }

  function forget() {
    for (const picture of pictures.values()) picture.close();
    pictures.clear();
    [newest, owed] = [null, null];
  }

  // What the server looks at.
  function follow(source) {
    if (source.kind !== "camera" && source.since <= left) return;
    const before = now;
    now = source;
    if (source.since === before.since && source.kind === before.kind) return;
    if (source.kind === "camera" && before.kind === "camera") return;
    forget();
    [sending, asked] = [null, false];
    if (source.kind === "address") { // there may be a password in what was typed, and others before the screen
      $("address").value = "";
      $("address").placeholder = visible(source.name);
    }
    changed(source.kind, CLOSED);
  }

  function reset() {
    [sending, asked] = [null, false];
    if (remote()) left = now.since;
    now = { kind: "camera", name: "", since: now.since, ended: false };
    forget();
  }

  // A picture of the server's source. The next one comes when this one is acknowledged.
  async function take(data) {
    const head = new DataView(data);
    const [number, captured] = [head.getUint32(0), head.getFloat64(4)];
    let picture;
    try {
      picture = await createImageBitmap(new Blob([new Uint8Array(data, 12)], { type: "image/jpeg" }));
    } catch {
      picture = null; // the next one will do
    }
    if (!remote() || number < now.since) return;
    offset = performance.now() - captured;
    if (picture) {
      pictures.set(number, picture);
      newest = picture;
      while (pictures.size > KEPT) {
        const [oldest] = pictures.keys();
        pictures.get(oldest).close();
        pictures.delete(oldest);
      }
    }
    owed = number;
    resume();
  }

  function resume() {
    if (owed === null || !shows()) return;
    send({ type: "shown", number: String(owed) });
    owed = null;
  }

  // Why what is wanted cannot be asked for; nothing where it can.
  function lacks() {
    if (wanted() === "address") return $("address").value.trim() ? "" : "Type an address first, such as rtsp://camera.local/stream.";
    const [film] = $("film").files;
    if (!film) return "Choose a film first.";
    return film.size > limits.film ? `The film is too large: ${megabytes(film.size)}, and the server takes ${megabytes(limits.film)} at most.` : "";
  }

  function request() {
    if (busy()) return;
    asked = true;
    if (wanted() === "address") {
      send({ type: "address", address: $("address").value });
    } else {
      const [film] = $("film").files;
      sending = { film, there: 0 };
      send({ type: "film", name: film.name, size: String(film.size) });
    }
  }

  // The server has so much of the film: the next piece goes.
  async function received({ received: there }) {
    const mine = sending;
    if (!mine) return;
    mine.there = there;
    if (there >= mine.film.size) return;
    try {
      const piece = await mine.film.slice(there, there + limits.piece).arrayBuffer();
      if (sending === mine) sendBytes(piece);
    } catch {
      cancel();
      alarm("The film cannot be read by this browser. Choose it again.");
    }
  }

  function cancel() {
    send({ type: "cancel" });
    failed("film");
  }

  // What was asked for is not to be; what was looked at before goes on.
  function failed(about) {
    if (!asked || !["film", "address", "message"].includes(about)) return;
    if (sending) $("film").value = ""; // so that the same film can be chosen again
    [sending, asked] = [null, false];
    if (!on()) send({ type: "stop" });
  }

  const busy = () => asked;
  const uploads = () => sending !== null;
  const ended = () => remote() && now.ended;

  function status(seen) {
    if (sending) return sending.there < sending.film.size ? "Sending the film …" : "Opening the film …";
    if (asked) return `Opening ${visible(seen?.switching ?? "the address")} …`;
    return ended() ? `The end of ${visible(now.name)}.` : "";
  }

  function show({ free }) {
    const part = sending ? sending.there / sending.film.size : 0;
    $("sending").hidden = !sending;
    if (sending) {
      $("sent").value = part;
      say($("sent-text"), `${megabytes(sending.there)} of ${megabytes(sending.film.size)}`);
    }
    for (const node of [select, $("film"), $("address"), $("dial")]) node.disabled = !free || asked;
  }

  select.addEventListener("change", () => {
    fields();
    if (wanted() === "camera" && on() && remote()) start();
    $(wanted() === "camera" ? "source" : wanted()).focus();
  });
  $("film").addEventListener("change", () => { if ($("film").files.length) start(); });
  $("address-field").addEventListener("submit", (event) => { event.preventDefault(); start(); });
  $("cancel").addEventListener("click", cancel);

  return {
    welcome, follow, reset, take, resume, lacks, request, received, failed, status, show, wanted, remote, busy, uploads, ended,
    picture: (number) => (number === undefined ? newest : pictures.get(number)),
    at: (captured) => (remote() ? captured + offset : captured),
  };
};
