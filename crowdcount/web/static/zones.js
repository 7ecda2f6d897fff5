// Zones and ground points, drawn on a stage by clicks or keys.
import { Cross } from "./cross.js";

// Okabe and Ito's colors, told apart by readers of every kind of color vision.
export const COLORS = ["#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2"];
const CATCH = 14; // pixels of the screen around a corner that mean it
const TWICE = 500; // milliseconds within which two taps are a double one

export class Zones {
  // `changed`: called after each change, with whether a zone or the ground is another now. `name`: gives the name of the
  // zone with a number.
  constructor(stage, changed, name) {
    this.stage = stage;
    this.changed = changed;
    this.name = name;
    this.cross = new Cross(stage);
    this.mode = "zone"; // or "ground"
    this.last = null; // the last tap: its place, and its time in milliseconds
    this.layer = (context) => this.paint(context);
    this.load([], []);
  }

  // `shapes`: [{name, polygon}], in notebooks with `holes`, more polygons, where there are any; `ground`: up to four
  // corners of a rectangle on the ground, in order.
  load(shapes, ground) {
    this.shapes = shapes;
    this.ground = ground;
    this.corners = []; // of the zone that is being drawn
    this.problem = ""; // key of the text of what cannot be done
    this.cross.hide();
  }

  tap(place, event) {
    if (event.button > 0) return;
    this.cross.hide();
    if (this.mode === "ground") return this.addGround(place);
    // Browsers do not count the clicks of pointer events. The second tap of a double one is no corner, also where the
    // first has closed the zone.
    const twice = this.last && event.timeStamp - this.last.time < TWICE && this.close(place, this.last.place);
    this.last = twice ? null : { place, time: event.timeStamp };
    if (twice) return this.corners.length ? this.finish() : undefined;
    this.addCorner(place);
  }

  addGround(place) {
    if (this.ground.length >= 4) return;
    this.ground = [...this.ground, place];
    this.changes(this.ground.length === 4);
  }

  // The next corner of a zone; the first one again closes it.
  addCorner(place) {
    if (this.corners.length > 2 && this.close(place, this.corners[0])) return this.finish();
    this.corners = [...this.corners, place];
    this.changes(false);
  }

  // Corners can be moved: of the ground, and of the zones that are closed.
  grab(place, event) {
    if (event.button) return null;
    if (this.mode === "ground") {
      const hit = this.ground.findIndex((corner) => this.close(place, corner));
      if (hit < 0) return null;
      return this.moving((at) => (this.ground = this.ground.map((corner, index) => (index === hit ? at : corner))));
    }
    for (const [number, { polygon }] of this.shapes.entries()) {
      const hit = polygon.findIndex((corner) => this.close(place, corner));
      if (hit < 0) continue;
      const moved = (at) => polygon.map((corner, index) => (index === hit ? at : corner));
      return this.moving(
        (at) => (this.shapes = this.shapes.map((shape, index) => (index === number ? { ...shape, polygon: moved(at) } : shape))),
      );
    }
    return null;
  }

  moving(put) {
    const { shapes, ground } = this;
    return {
      move: (at) => (put(at), this.stage.draw()),
      end: (at) => (put(at), this.changes(true)),
      cancel: () => (Object.assign(this, { shapes, ground }), this.stage.draw()),
    };
  }

  close(a, b) {
    const [[x0, y0], [x1, y1]] = [this.stage.toScreen(a), this.stage.toScreen(b)];
    return Math.hypot(x0 - x1, y0 - y1) < CATCH;
  }

  finish() {
    if (this.corners.length < 3) {
      this.problem = "few_corners";
      return this.changed(false);
    }
    const taken = new Set(this.shapes.map((shape) => shape.name));
    let number = this.shapes.length + 1;
    while (taken.has(this.name(number))) number += 1;
    this.shapes = [...this.shapes, { name: this.name(number), polygon: this.corners }];
    this.corners = [];
    this.changes(true);
  }

  undo() {
    if (this.mode === "ground") this.ground = this.ground.slice(0, -1);
    else this.corners = this.corners.slice(0, -1);
    this.changes(this.mode === "ground");
  }

  rename(index, name) {
    this.shapes = this.shapes.map((shape, at) => (at === index ? { ...shape, name } : shape));
    this.changes(true);
  }

  remove(index) {
    this.shapes = this.shapes.filter((_, at) => at !== index);
    this.changes(true);
  }

  clearGround() {
    this.ground = [];
    this.changes(true);
  }

  changes(whole) {
    this.problem = "";
    this.stage.draw();
    this.changed(whole);
  }

  // --- Keys ---------------------------------------------------------------------------------------------------

  // Whether a key was ours.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Escape") return this.leave();
    const work = { Enter: () => this.put(), " ": () => this.put(), Backspace: () => this.undo() }[event.key];
    if (!work) return this.cross.key(event);
    work();
    return true;
  }

  // A point at the cross hairs. Where the mouse has drawn, and there are none, the zone is closed; where there is
  // nothing to close they come up.
  put() {
    const place = this.cross.at;
    if (this.mode === "ground") return place ? this.addGround(place) : this.cross.show();
    const last = this.corners.at(-1);
    if (!place) return last ? this.finish() : this.cross.show();
    if (last && last.every((at, axis) => at === place[axis])) return this.finish();
    this.addCorner(place);
  }

  // End the drawing of a zone. Whether there was something to end.
  leave() {
    const begun = this.mode === "zone" && this.corners.length > 0;
    if (!begun && !this.cross.at) return false;
    this.cross.hide();
    if (begun) this.corners = [];
    this.changes(false);
    return true;
  }

  paint(context) {
    this.shapes.forEach(({ name, polygon, holes }, index) => {
      const color = COLORS[index % COLORS.length];
      this.path(context, polygon, true, holes);
      context.fillStyle = `${color}40`;
      context.fill("evenodd");
      this.line(context, color);
      const middle = [0, 1].map((axis) => polygon.reduce((sum, corner) => sum + corner[axis], 0) / polygon.length);
      this.label(context, this.stage.toScreen(middle), name);
      if (this.stage.tool === this && this.mode === "zone") polygon.forEach((corner) => this.knob(context, corner, color));
    });
    if (this.corners.length) {
      this.path(context, this.corners, false);
      this.line(context, "#fff");
      this.corners.forEach((corner, index) => this.knob(context, corner, "#fff", index ? 5 : 8));
    }
    if (this.ground.length) {
      this.path(context, this.ground, this.ground.length === 4);
      context.setLineDash([8, 6]);
      this.line(context, "#fff");
      context.setLineDash([]);
      this.ground.forEach((corner, index) => {
        this.knob(context, corner, "#fff", 10);
        this.label(context, this.stage.toScreen(corner), String(index + 1), 12);
      });
    }
    if (this.stage.tool === this) this.cross.paint(context);
  }

  path(context, polygon, closed, holes = []) {
    context.beginPath();
    for (const ring of [polygon, ...holes]) {
      for (const [index, corner] of ring.entries()) context[index ? "lineTo" : "moveTo"](...this.stage.toScreen(corner));
      if (closed) context.closePath();
    }
  }

  line(context, color) {
    for (const [shade, width] of [["#0009", 5], [color, 2.5]]) {
      context.lineWidth = width;
      context.strokeStyle = shade;
      context.stroke();
    }
  }

  knob(context, corner, color, radius = 5) {
    context.beginPath();
    context.arc(...this.stage.toScreen(corner), radius, 0, 2 * Math.PI);
    context.fillStyle = color;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = "#000";
    context.stroke();
  }

  label(context, [x, y], text, size = 16) {
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = size > 12 ? "#000c" : "#fff";
    context.fillStyle = size > 12 ? "#fff" : "#000";
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }
}
