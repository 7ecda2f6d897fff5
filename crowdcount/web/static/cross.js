// Cross hairs on a picture: the place where the keys work.
import { ARROWS } from "./stage.js";

const STEP = 12; // pixels of the screen that an arrow moves them by; with Shift one

export class Cross {
  constructor(stage) {
    this.stage = stage;
    this.at = null; // in pixels of the picture; null while the mouse works
  }

  // Bring them up where they are not yet, in the middle of what is seen. Returns their place.
  show() {
    this.at ??= this.middle;
    this.stage.draw();
    return this.at;
  }

  hide() {
    this.at = null;
    this.stage.draw();
  }

  get middle() {
    return this.stage.toPicture(this.stage.box.map((side) => side / 2));
  }

  // Where an arrow leads to, from a place of the picture.
  step(event, from = this.at ?? this.middle) {
    const far = (event.shiftKey ? 1 : STEP) / this.stage.view.scale;
    return this.stage.within(from.map((at, axis) => at + ARROWS[event.key][axis] * far));
  }

  // Arrows move them, the keys of a stage zoom about them. Whether a key was one of these.
  key(event) {
    if (!ARROWS[event.key]) return this.stage.zoomKey(event, this.at);
    this.at = this.step(event);
    this.stage.reveal(this.at);
    this.stage.draw();
    return true;
  }

  paint(context) {
    if (!this.at) return;
    const [x, y] = this.stage.toScreen(this.at);
    for (const [color, width] of [["#000", 4], ["#fff", 1.8]]) {
      context.beginPath();
      for (const [right, down] of Object.values(ARROWS)) {
        context.moveTo(x + 5 * right, y + 5 * down);
        context.lineTo(x + 17 * right, y + 17 * down);
      }
      context.lineWidth = width;
      context.strokeStyle = color;
      context.stroke();
    }
  }
}
