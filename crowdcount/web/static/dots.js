// Dots on heads, and boxes around what is not to be counted: placed, moved, removed, undone; by mouse, finger and keys.
import { Cross } from "./cross.js";
import { ARROWS } from "./stage.js";

const CATCH = 11; // pixels of the screen around a dot that mean it
const FINGER = 18; // the same for a finger
const LEAST_BOX = 4; // pixels of the screen
const STEPS = 100; // that can be undone where a picture comes again
const COLOR = "#ffd60a";
const CHOSEN = "#ff3b8d";

// Whether a place lies in a polygon: a ray from it to the right crosses the border an odd number of times.
function within(polygon, [x, y]) {
  let inside = false;
  polygon.forEach(([x0, y0], index) => {
    const [x1, y1] = polygon[(index + 1) % polygon.length];
    if (y0 > y !== y1 > y && x < x0 + ((x1 - x0) * (y - y0)) / (y1 - y0)) inside = !inside;
  });
  return inside;
}

export class Dots {
  // `changed`: called after each change.
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    this.cross = new Cross(stage);
    this.mode = "dot"; // or "box"
    this.layer = (context) => this.paint(context);
    this.load([], []);
  }

  // Take up points [[x, y], ...] and boxes, polygons of [x, y], with what can be undone and redone: nothing, but where
  // they are what they were when they were left.
  load(points, ignore, { past = [], future = [] } = {}) {
    this.points = points.map(([x, y]) => [x, y]);
    this.ignore = ignore;
    this.past = past;
    this.future = future;
    this.chosen = null; // index of a point, or {box: index}
    this.corner = null; // the first corner of a box that keys draw
    this.drawing = null; // the box that is being drawn
    this.cross.hide();
  }

  // What can be undone and redone, to `load` it again. Of a picture that is left only so many steps: they take memory.
  get steps() {
    return { past: this.past.slice(-STEPS), future: this.future.slice(-STEPS) };
  }

  // --- Changes ------------------------------------------------------------------------------------------------

  // All changes go through here. Lists are never changed in place, so that the past needs no copies.
  set(points, ignore, chosen = null) {
    this.past.push([this.points, this.ignore]);
    this.future = [];
    [this.points, this.ignore, this.chosen] = [points, ignore, chosen];
    this.stage.draw();
    this.changed();
  }

  add(place) {
    this.set([...this.points, place], this.ignore, this.points.length);
  }

  move(index, place) {
    this.set(this.points.map((point, at) => (at === index ? place : point)), this.ignore, index);
  }

  remove(index) {
    this.set(this.points.filter((_, at) => at !== index), this.ignore);
  }

  addBox([left, top], [right, bottom]) {
    const [x0, x1] = [Math.min(left, right), Math.max(left, right)];
    const [y0, y1] = [Math.min(top, bottom), Math.max(top, bottom)];
    if (Math.min(x1 - x0, y1 - y0) * this.stage.view.scale < LEAST_BOX) return;
    const box = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    // Dots in it are not counted either: they go, and come back with an undo.
    this.set(this.points.filter((point) => !within(box, point)), [...this.ignore, box], { box: this.ignore.length });
  }

  removeChosen() {
    if (this.chosen === null) return;
    if (typeof this.chosen === "number") this.remove(this.chosen);
    else this.set(this.points, this.ignore.filter((_, at) => at !== this.chosen.box));
  }

  // Put others in place of all points, as the model's heads.
  replace(points) {
    this.set(points.map(([x, y]) => [x, y]), this.ignore);
  }

  undo() {
    this.turn(this.past, this.future);
  }

  redo() {
    this.turn(this.future, this.past);
  }

  turn(from, to) {
    if (!from.length) return;
    to.push([this.points, this.ignore]);
    [this.points, this.ignore] = from.pop();
    this.chosen = null;
    this.stage.draw();
    this.changed();
  }

  // --- Pointers -----------------------------------------------------------------------------------------------

  near(place, reach) {
    let [nearest, least] = [null, reach / this.stage.view.scale];
    this.points.forEach(([x, y], index) => {
      const distance = Math.hypot(x - place[0], y - place[1]);
      if (distance < least) [nearest, least] = [index, distance];
    });
    return nearest;
  }

  boxAt(place) {
    const found = this.ignore.findLastIndex((polygon) => within(polygon, place));
    return found < 0 ? null : found;
  }

  tap(place, event) {
    const hit = this.near(place, event.pointerType === "touch" ? FINGER : CATCH);
    if (event.button === 2 || event.altKey) {
      if (hit !== null) return this.remove(hit);
      const box = this.boxAt(place);
      if (box !== null) this.set(this.points, this.ignore.filter((_, at) => at !== box));
      return;
    }
    if (event.button > 0) return;
    this.cross.hide();
    if (this.mode === "box") {
      const box = this.boxAt(place);
      this.chosen = box === null ? null : { box };
    } else if (hit !== null) this.chosen = hit;
    else return this.add(place);
    this.stage.draw();
    this.changed(false);
  }

  grab(place, event) {
    if (event.button) return null;
    if (this.mode === "box") {
      return {
        move: (end) => ((this.drawing = [place, end]), this.stage.draw()),
        end: (end) => ((this.drawing = null), this.addBox(place, end), this.stage.draw()),
        cancel: () => ((this.drawing = null), this.stage.draw()),
      };
    }
    const hit = this.near(place, event.pointerType === "touch" ? FINGER : CATCH);
    if (hit === null) return null;
    const [points, from] = [this.points, this.points[hit]];
    // The finger may have caught the dot beside its middle: it keeps that distance.
    const moved = ([x, y]) => this.stage.within([x + from[0] - place[0], y + from[1] - place[1]]);
    const shown = (end) => points.map((point, at) => (at === hit ? moved(end) : point));
    this.chosen = hit;
    return {
      move: (end) => ((this.points = shown(end)), this.stage.draw()),
      end: (end) => ((this.points = points), this.move(hit, moved(end))),
      cancel: () => ((this.points = points), this.stage.draw()),
    };
  }

  // --- Keys ---------------------------------------------------------------------------------------------------

  // Whether a key was ours.
  key(event) {
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (control && key === "z") return this.did(() => (event.shiftKey ? this.redo() : this.undo()));
    if (control && key === "y") return this.did(() => this.redo());
    if (control) return false;
    if (event.altKey && ARROWS[key] && typeof this.chosen === "number") return this.did(() => this.step(event));
    const work = {
      z: () => this.undo(),
      y: () => this.redo(),
      Delete: () => this.removeChosen(),
      Backspace: () => this.removeChosen(),
      " ": () => this.place(),
      Enter: () => this.place(),
      "]": () => this.choose(1),
      "[": () => this.choose(-1),
      Escape: () => this.leave(),
    }[key];
    return work ? this.did(work) : this.cross.key(event);
  }

  did(work) {
    work();
    return true;
  }

  // Move the chosen dot by an arrow.
  step(event) {
    const place = this.cross.step(event, this.points[this.chosen]);
    this.move(this.chosen, place);
    this.stage.reveal(place);
  }

  // A dot at the cross hairs, or a box's first corner and then its second.
  place() {
    const place = this.cross.show();
    if (this.mode !== "box") this.add(place);
    else if (this.corner) {
      const first = this.corner;
      this.corner = null;
      this.addBox(first, place);
    } else this.corner = place;
    this.stage.draw();
  }

  leave() {
    this.chosen = this.corner = null;
    this.cross.hide();
    this.changed(false);
  }

  choose(by) {
    if (!this.points.length) return;
    const from = typeof this.chosen === "number" ? this.chosen : by > 0 ? -1 : 0;
    this.chosen = (from + by + this.points.length) % this.points.length;
    this.cross.at = this.points[this.chosen];
    this.stage.reveal(this.cross.at);
    this.stage.draw();
    this.changed(false);
  }

  // --- Drawing ------------------------------------------------------------------------------------------------

  paint(context) {
    const { stage } = this;
    const drawn = this.drawing ?? (this.corner && this.cross.at ? [this.corner, this.cross.at] : null);
    this.ignore.forEach((polygon, index) => this.paintBox(context, polygon, this.chosen?.box === index));
    if (drawn) {
      const [[x0, y0], [x1, y1]] = drawn;
      this.paintBox(context, [[x0, y0], [x1, y0], [x1, y1], [x0, y1]], true);
    }
    // Dots grow with the picture, within bounds: at a glance on a whole crowd, and never over a whole head.
    const radius = Math.min(6, Math.max(2.2, 2.2 + 1.6 * stage.view.scale));
    const [wide, high] = stage.box;
    context.beginPath();
    for (const point of this.points) {
      const [x, y] = stage.toScreen(point);
      if (x < -9 || y < -9 || x > wide + 9 || y > high + 9) continue;
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fillStyle = COLOR;
    context.fill();
    context.lineWidth = 1.4;
    context.strokeStyle = "#000c";
    context.stroke();
    if (typeof this.chosen === "number" && this.points[this.chosen]) {
      const [x, y] = stage.toScreen(this.points[this.chosen]);
      context.beginPath();
      context.arc(x, y, radius + 4, 0, 2 * Math.PI);
      context.lineWidth = 3;
      context.strokeStyle = CHOSEN;
      context.stroke();
    }
    this.cross.paint(context);
  }

  paintBox(context, polygon, chosen) {
    context.beginPath();
    for (const corner of polygon) context.lineTo(...this.stage.toScreen(corner));
    context.closePath();
    context.fillStyle = "#0009";
    context.fill();
    context.setLineDash([7, 5]);
    context.lineWidth = chosen ? 3 : 2;
    context.strokeStyle = chosen ? CHOSEN : "#fff";
    context.stroke();
    context.setLineDash([]);
  }
}
