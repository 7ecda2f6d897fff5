// A picture to look at and to work on: zoom, pan, brightness, and what is drawn over it.
//
// The picture is kept at full size and at halves of it. Each frame draws, of the smallest that is fine enough, the part
// that is seen: a frame costs what the screen has in pixels, not what the picture has.
import { h } from "./dom.js";

const MOST_ZOOM = 16; // screen pixels for one of the picture
const TAP = 6; // pixels of the screen that a finger may slip in a tap
const SMALLEST_LEVEL = 900; // pixels; below, halves gain nothing
const STRIDE = 60; // pixels of the screen that an arrow moves the picture by

// Key -> where it points, to the right and down.
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Buttons over a stage that zoom it, and show the whole picture.
export function zoomButtons(stage, texts) {
  const button = (key, sign, work) => {
    const label = texts.t(key);
    return h("button", { className: "cc-button", type: "button", ariaLabel: label, title: label, onclick: work }, sign);
  };
  return h("div", { className: "cc-zoom" },
    button("zoom_in", "+", () => stage.zoom(1.5)),
    button("zoom_out", "−", () => stage.zoom(1 / 1.5)),
    button("fit", "⤢", () => stage.fit()));
}

export class Stage {
  // `wheel`: whether the wheel zooms by itself; otherwise with Ctrl, so that a page can be scrolled over the picture.
  constructor({ wheel = false } = {}) {
    this.wheel = wheel;
    this.picture = h("canvas", { className: "cc-picture" });
    this.marks = h("canvas", { className: "cc-marks", tabIndex: 0 });
    this.marks.setAttribute("role", "application");
    this.element = h("div", { className: "cc-stage" }, this.picture, this.marks);
    this.levels = [];
    this.layers = []; // functions of a context that draw over the picture, the first lowest
    this.taken = null;
    this.size = [1, 1];
    this.there = false; // whether there is a picture, or its size at least
    this.view = { scale: 1, x: 0, y: 0 };
    this.fitted = true;
    this.pointers = new Map();
    this.drawn = 0; // pixels of the picture that the last frame read
    this.listen();
    this.watching = new ResizeObserver(() => this.resized());
    this.watching.observe(this.element);
  }

  // Show a picture: a Blob that the browser can decode, or null for none; width and height of the upright picture, if
  // they are known. Of two calls at once the later one wins. Returns whether this one did.
  async show(blob, width, height) {
    const turn = (this.turn = {});
    const first = blob ? await createImageBitmap(blob) : null;
    // Let go of at once: pictures of many megapixels take the memory until somebody collects what is no longer used.
    if (turn !== this.turn) return first?.close(), false;
    for (const level of this.levels) level.close();
    this.levels = first ? [first] : [];
    this.size = [width ?? first?.width ?? 1, height ?? first?.height ?? 1];
    this.there = Boolean(first ?? width);
    this.fit();
    let [wide, high] = first ? [first.width, first.height] : [0, 0];
    while (Math.max(wide, high) > SMALLEST_LEVEL) {
      [wide, high] = [Math.ceil(wide / 2), Math.ceil(high / 2)];
      const options = { resizeWidth: wide, resizeHeight: high, resizeQuality: "medium" };
      const half = await createImageBitmap(this.levels.at(-1), options);
      if (turn !== this.turn) return half.close(), false;
      this.levels.push(half);
    }
    this.draw();
    return true;
  }

  destroy() {
    this.watching.disconnect();
    for (const level of this.levels) level.close();
    this.levels = [];
  }

  // What works on the picture: {tap, grab, key, cursor}, see `listen`. None before there is a picture: a click or a key
  // that comes too early has no place.
  get tool() {
    return this.there ? this.taken : null;
  }

  set tool(tool) {
    this.taken = tool;
  }

  set brightness(value) {
    this.picture.style.filter = value === 1 ? "" : `brightness(${value})`; // the compositor's work, not a frame's
  }

  // --- Places -------------------------------------------------------------------------------------------------

  get box() {
    return [this.element.clientWidth || 1, this.element.clientHeight || 1];
  }

  fitScale() {
    const [wide, high] = this.box;
    return Math.min(wide / this.size[0], high / this.size[1]);
  }

  fit() {
    const [wide, high] = this.box;
    const scale = this.fitScale();
    this.view = { scale, x: (wide - this.size[0] * scale) / 2, y: (high - this.size[1] * scale) / 2 };
    this.fitted = true;
    this.draw();
  }

  // Zoom by a factor about a place of the screen, the middle where none is given.
  zoom(factor, [x, y] = this.box.map((side) => side / 2)) {
    const least = Math.min(this.fitScale(), 1);
    const scale = Math.min(MOST_ZOOM, Math.max(least, this.view.scale * factor));
    const ratio = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * ratio, y: y - (y - this.view.y) * ratio };
    this.fitted = scale <= this.fitScale() * 1.0001;
    this.hold();
  }

  pan(x, y) {
    this.view = { ...this.view, x: this.view.x + x, y: this.view.y + y };
    this.hold();
  }

  // Keep the picture in sight: centered where it is smaller than the stage, without a gap where larger.
  hold() {
    const kept = (at, extent, room) => (extent <= room ? (room - extent) / 2 : Math.min(0, Math.max(room - extent, at)));
    const [wide, high] = this.box;
    this.view.x = kept(this.view.x, this.size[0] * this.view.scale, wide);
    this.view.y = kept(this.view.y, this.size[1] * this.view.scale, high);
    this.draw();
  }

  // See that a place of the picture is on the screen.
  reveal(point) {
    const [x, y] = this.toScreen(point);
    const [wide, high] = this.box;
    const off = (at, room) => (at < 30 ? 30 - at : at > room - 30 ? room - 30 - at : 0);
    if (off(x, wide) || off(y, high)) this.pan(off(x, wide), off(y, high));
  }

  toScreen([x, y]) {
    return [x * this.view.scale + this.view.x, y * this.view.scale + this.view.y];
  }

  // A place of the screen in pixels of the picture.
  toPicture([x, y]) {
    return this.within([(x - this.view.x) / this.view.scale, (y - this.view.y) / this.view.scale]);
  }

  // A place of the picture to a tenth of a pixel, taken to its border where it lies outside.
  within(place) {
    return place.map((at, axis) => Math.round(10 * Math.min(Math.max(at, 0), this.size[axis])) / 10);
  }

  at(event) {
    const box = this.marks.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // --- Drawing ------------------------------------------------------------------------------------------------

  resized() {
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.picture, this.marks]) {
      canvas.width = Math.round(this.box[0] * ratio);
      canvas.height = Math.round(this.box[1] * ratio);
    }
    if (this.fitted) this.fit();
    else this.hold();
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      this.paint();
    });
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = this.box;
    const below = this.picture.getContext("2d");
    below.setTransform(ratio, 0, 0, ratio, 0, 0);
    below.clearRect(0, 0, wide, high);
    if (this.levels.length) this.paintPicture(below, ratio);
    const above = this.marks.getContext("2d");
    above.setTransform(ratio, 0, 0, ratio, 0, 0);
    above.clearRect(0, 0, wide, high);
    for (const layer of this.layers) layer(above, this);
  }

  paintPicture(context, ratio) {
    const { scale } = this.view;
    const [wide, high] = this.box;
    const fine = this.levels.filter((level) => level.width >= this.size[0] * scale * ratio);
    const level = fine.length ? fine.at(-1) : this.levels[0];
    const share = level.width / this.size[0];
    const [left, top] = [Math.max(0, -this.view.x / scale), Math.max(0, -this.view.y / scale)];
    const right = Math.min(this.size[0], (wide - this.view.x) / scale);
    const bottom = Math.min(this.size[1], (high - this.view.y) / scale);
    if (right <= left || bottom <= top) return;
    const [x, y] = this.toScreen([left, top]);
    const [spanX, spanY] = [right - left, bottom - top];
    context.imageSmoothingEnabled = scale * ratio < 4; // single pixels are to be seen as such
    context.imageSmoothingQuality = "medium";
    this.drawn = spanX * share * spanY * share;
    const shareY = level.height / this.size[1];
    context.drawImage(
      level, left * share, top * shareY, spanX * share, spanY * shareY, x, y, spanX * scale, spanY * scale,
    );
  }

  // --- Keys ---------------------------------------------------------------------------------------------------

  // Zoom by a key, about a place of the picture where one is given. Whether the key was one of these.
  zoomKey({ key }, place) {
    const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 }[key];
    if (factor) this.zoom(factor, place ? this.toScreen(place) : undefined);
    else if (key === "0") this.fit();
    else return false;
    return true;
  }

  // Where no tool works, arrows move a picture that is larger than the stage. Whether a key was ours.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const arrow = ARROWS[event.key];
    if (!arrow || this.fitted) return this.zoomKey(event);
    this.pan(...arrow.map((side) => -side * STRIDE));
    return true;
  }

  // --- Pointers -----------------------------------------------------------------------------------------------

  // A tool has `tap(point, event)`, for a click, and `grab(point, event)`, which gives null, or what follows a drag:
  // {move(point), end(point), cancel()}. Where nothing is grabbed the picture moves.
  listen() {
    const on = (kind, work) => this.marks.addEventListener(kind, work);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.drag(event));
    on("pointerup", (event) => this.release(event));
    on("pointercancel", (event) => this.forget(event));
    on("contextmenu", (event) => event.preventDefault());
    this.marks.addEventListener(
      "wheel",
      (event) => {
        if (!this.wheel && !event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), this.at(event));
      },
      { passive: false },
    );
  }

  press(event) {
    this.marks.focus({ preventScroll: true });
    this.marks.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    if (this.pointers.size > 1) {
      this.letGo();
      this.moved = true;
      return;
    }
    this.start = this.at(event);
    this.moved = false;
    const panning = event.button === 1 || event.shiftKey;
    const place = this.toPicture(this.start);
    this.held = panning ? null : (this.tool?.grab?.(place, event) ?? null);
  }

  drag(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const [before, now] = [this.pointers.get(event.pointerId), this.at(event)];
    if (this.pointers.size === 2) {
      const other = [...this.pointers.entries()].find(([id]) => id !== event.pointerId)[1];
      const apart = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
      const middle = [0, 1].map((axis) => (now[axis] + other[axis]) / 2);
      this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      this.zoom(apart(now, other) / apart(before, other), middle);
    } else if (this.moved || Math.hypot(now[0] - this.start[0], now[1] - this.start[1]) > TAP) {
      this.moved = true;
      if (this.held) this.held.move(this.toPicture(now));
      else this.pan(now[0] - before[0], now[1] - before[1]);
    } else return;
    this.pointers.set(event.pointerId, now);
  }

  release(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const place = this.toPicture(this.at(event));
    if (this.moved) this.held?.end(place);
    else if (!this.pointers.size) this.tool?.tap?.(place, event);
    this.held = null;
  }

  forget(event) {
    this.pointers.delete(event.pointerId);
    this.letGo();
  }

  // What a drag has moved so far goes back: two fingers move the picture, of which one comes first.
  letGo() {
    if (this.moved) this.held?.cancel();
    this.held = null;
  }
}
