// Dots on the heads in a folder's pictures: the whole of the annotating page, and of the widget in a notebook.
//
// It asks through one function, `ask(question)`, which gives a promise of the answer (a Blob for a picture) or rejects
// with {error, code, entry}: over HTTP on the page, over the kernel's messages in a notebook.
import { h, Texts, download } from "./dom.js";
import { Stage, zoomButtons } from "./stage.js";
import { Dots } from "./dots.js";

const PAUSE = 350; // milliseconds after a change before it is saved: a burst of clicks is one save

export class Annotator {
  constructor(texts, ask, { wheel }) {
    this.texts = texts;
    this.ask = ask;
    this.stage = new Stage({ wheel });
    this.dots = new Dots(this.stage, (real = true) => this.changed(real));
    this.stage.layers = [this.dots.layer];
    this.stage.tool = this.dots;
    this.pictures = [];
    this.at = 0;
    this.entry = null; // of the picture that is shown: {done, version, width, height}
    this.lost = false; // whether it cannot be shown
    this.dirty = false;
    this.steps = new Map(); // name of a picture that was left -> what can be undone in it, and the version that it had
    this.element = this.build();
  }

  t(key, values) {
    return this.texts.t(`annotate.${key}`, values);
  }

  async start() {
    try {
      const { pictures, file } = await this.ask({ ask: "folder" });
      [this.pictures, this.file] = [pictures, file];
    } catch (problem) {
      return this.tell(problem);
    }
    const open = this.pictures.findIndex((picture) => !picture.done);
    await this.open(Math.max(0, open));
  }

  // --- One picture ----------------------------------------------------------------------------------------------

  async open(index) {
    if (!(await this.flush())) return; // what was not saved stays in sight, and is told
    const turn = (this.turn = {});
    const { name } = this.pictures[index];
    if (this.entry) this.steps.set(this.pictures[this.at].name, { ...this.dots.steps, version: this.entry.version });
    this.at = index;
    this.entry = null;
    this.lost = false;
    this.stage.letGo(); // what is dragged is of the picture before
    this.stage.there = false; // a click has no place until this one is shown
    this.dots.load([], []);
    this.say("");
    this.show();
    try {
      const [entry, picture] = await Promise.all([this.ask({ ask: "entry", name }), this.ask({ ask: "picture", name })]);
      if (turn !== this.turn) return;
      await this.stage.show(picture, entry.width, entry.height);
      if (turn !== this.turn) return;
      const steps = this.steps.get(name);
      // Changed elsewhere, it is another one: a step back would take that away.
      this.take(entry, steps?.version === entry.version ? steps : {});
      this.stage.marks.focus({ preventScroll: true });
      if (!entry.version && !this.dots.past.length) await this.findHeads(true);
    } catch (problem) {
      if (turn !== this.turn) return;
      this.lost = !this.entry;
      if (this.lost) this.stage.show(null); // nothing of the picture before stays under this one's name
      this.tell(problem);
    }
  }

  take(entry, steps = {}) {
    this.entry = entry;
    this.dirty = false;
    this.dots.load(entry.points, entry.ignore, steps);
    this.show();
  }

  // Put the heads that the model finds in place of the dots; to begin with, unless there are dots by hand meanwhile.
  // Nothing is done before they are there: the picture would be one with nobody in it.
  async findHeads(beginning = false) {
    const { turn, entry } = this;
    this.say(this.t("finding"));
    this.finding = turn;
    this.show();
    try {
      const { heads } = await this.ask({ ask: "heads", name: this.pictures[this.at].name });
      if (turn !== this.turn) return;
      if (beginning && (entry !== this.entry || this.dots.past.length)) {
        if (this.parts.said.textContent === this.t("finding")) this.say("");
        return;
      }
      this.dots.replace(heads.filter((head) => this.dots.boxAt(head) === null));
      this.say(this.t("found"));
    } catch (problem) {
      if (turn === this.turn) this.tell(problem);
    } finally {
      if (this.finding === turn) this.finding = null;
      this.show();
    }
  }

  isFinding() {
    return Boolean(this.finding) && this.finding === this.turn;
  }

  async finish() {
    if (!this.entry || this.isFinding()) return;
    this.entry.done = !this.entry.done;
    this.changed(true);
    if (!this.entry.done) return;
    if (!(await this.flush()) || !this.entry?.done) return;
    const rest = this.pictures.map((_, index) => (this.at + 1 + index) % this.pictures.length);
    const next = rest.find((index) => !this.pictures[index].done);
    if (next === undefined) this.say(this.t("all_done", { file: this.file }));
    else await this.open(next);
  }

  go(by) {
    const index = this.at + by;
    if (index >= 0 && index < this.pictures.length) this.open(index);
  }

  // --- Saving ---------------------------------------------------------------------------------------------------

  changed(real) {
    if (real && this.entry) {
      this.dirty = true;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(), PAUSE);
    }
    this.show();
  }

  // Save what is not saved yet; whether all is. One save at a time: each needs the version that the one before it gave.
  async flush() {
    clearTimeout(this.timer);
    if (this.saving && (await this.saving, this.failed)) return false;
    if (!this.dirty || !this.entry) return true;
    this.saving = this.save().finally(() => (this.saving = null));
    await this.saving;
    this.show();
    return !this.failed && (this.dirty ? this.flush() : true);
  }

  async save() {
    const { entry, turn, at } = this;
    const { points, ignore } = this.dots;
    this.dirty = false;
    this.failed = false;
    try {
      const { name } = this.pictures[at];
      const { version } = await this.ask({ ask: "save", name, version: entry.version, points, ignore, done: entry.done });
      entry.version = version;
      this.pictures[at].done = entry.done;
      this.pictures[at].begun = version !== "";
    } catch (problem) {
      if (turn !== this.turn) return;
      this.failed = true;
      if (problem.code === "conflict") {
        this.pictures[at].done = problem.entry.done;
        this.take({ ...entry, ...problem.entry });
        this.say(this.t("conflict"), "error");
      } else {
        this.dirty = true;
        this.tell(problem);
      }
    }
  }

  // --- The frame ------------------------------------------------------------------------------------------------

  build() {
    const button = (key, work, kind = "") => h("button", { className: `cc-button ${kind}`, type: "button", onclick: work }, this.t(key));
    const sign = (key, text, work) => h("button", { className: "cc-button", type: "button", title: this.t(key), ariaLabel: this.t(key), onclick: work }, text);
    this.parts = {
      previous: sign("previous", "‹", () => this.go(-1)),
      next: sign("next", "›", () => this.go(1)),
      name: h("strong", { className: "cc-name", dir: "auto" }),
      bar: h("progress", { className: "cc-progress", max: 1, value: 0 }),
      progress: h("span", { className: "cc-soft" }),
      saved: h("span", { className: "cc-soft cc-saved" }),
      said: h("p", { className: "cc-note", role: "status" }),
      dot: button("dot", () => this.mode("dot")),
      box: button("box", () => this.mode("box")),
      undo: h("button", { className: "cc-button", type: "button", onclick: () => this.dots.undo() }, this.texts.t("undo")),
      redo: button("redo", () => this.dots.redo()),
      remove: button("delete", () => this.dots.removeChosen()),
      model: button("model", () => this.findHeads()),
      clear: button("clear", () => this.dots.replace([])),
      heads: h("strong", { className: "cc-heads" }),
      hint: h("p", { className: "cc-soft cc-hint" }),
      finish: button("finish", () => this.finish(), "cc-main"),
      csv: h("button", { className: "cc-link", type: "button", onclick: () => this.csv() }, this.t("csv")),
    };
    const { parts } = this;
    parts.bar.setAttribute("aria-label", this.t("title"));
    const brightness = h("input", { type: "range", min: "0.5", max: "3", step: "0.1", value: "1" });
    brightness.addEventListener("input", () => (this.stage.brightness = Number(brightness.value)));
    const help = h("details", { className: "cc-soft cc-keys" }, h("summary", {}, this.texts.t("keys")), this.t("keys_text"));
    const frame = h("div", { className: "cc-root cc-annotator", lang: this.texts.code, dir: this.texts.texts.dir },
      h("div", { className: "cc-row cc-top" }, h("div", { className: "cc-group" }, parts.previous, parts.next), parts.name,
        h("div", { className: "cc-group cc-push" }, parts.saved, parts.progress, parts.bar)),
      h("div", { className: "cc-place" }, this.stage.element, zoomButtons(this.stage, this.texts), parts.heads),
      parts.said,
      h("div", { className: "cc-row cc-tools" },
        h("div", { className: "cc-group" }, parts.dot, parts.box),
        h("div", { className: "cc-group" }, parts.undo, parts.redo, parts.remove),
        h("div", { className: "cc-group" }, parts.model, parts.clear),
        h("label", { className: "cc-group" }, this.t("brightness"), brightness),
        h("div", { className: "cc-group cc-push" }, parts.finish)),
      h("div", { className: "cc-row cc-foot" }, parts.hint, parts.csv), help);
    // Lumino, which JupyterLab is made of, runs no keyboard shortcuts for keys pressed in elements marked so.
    frame.setAttribute("data-lm-suppress-shortcuts", "true");
    return frame;
  }

  show() {
    const { parts, dots, entry, pictures } = this;
    const done = pictures.filter((picture) => picture.done).length;
    parts.name.textContent = pictures[this.at]?.name ?? "";
    parts.progress.textContent = this.t("done_of", { done, all: pictures.length });
    [parts.bar.max, parts.bar.value] = [pictures.length || 1, done];
    parts.saved.textContent = !entry ? "" : this.dirty || this.saving ? this.t("saving") : entry.version ? `✓ ${this.t("saved")}` : "";
    parts.heads.textContent = this.t("heads", { number: dots.points.length });
    parts.hint.textContent = this.t(`hint.${dots.mode}`);
    parts.previous.disabled = this.at === 0;
    parts.next.disabled = this.at >= pictures.length - 1;
    parts.undo.disabled = !dots.past.length;
    parts.redo.disabled = !dots.future.length;
    parts.remove.disabled = dots.chosen === null;
    parts.clear.disabled = !dots.points.length;
    parts.model.disabled = !entry;
    parts.finish.disabled = !entry || this.isFinding();
    parts.finish.textContent = this.t(entry?.done ? "reopen" : "finish");
    parts.dot.setAttribute("aria-pressed", String(dots.mode === "dot"));
    parts.box.setAttribute("aria-pressed", String(dots.mode === "box"));
    this.stage.marks.setAttribute("aria-label", `${parts.name.textContent}. ${parts.heads.textContent}. ${this.t("keys_text")}`);
  }

  say(text, kind = "told") {
    this.parts.said.textContent = text;
    this.parts.said.hidden = !text;
    this.parts.said.className = `cc-note ${kind === "error" ? "cc-error" : "cc-told"}`;
  }

  // What could not be done, and why.
  tell(problem) {
    this.say(this.t("problem", { problem: problem.error ?? String(problem) }), "error");
  }

  mode(mode) {
    this.dots.mode = mode;
    this.dots.chosen = this.dots.corner = null;
    this.stage.draw();
    this.show();
  }

  async csv() {
    await this.flush();
    try {
      download("points.csv", (await this.ask({ ask: "csv" })).csv, "text/csv");
    } catch (problem) {
      this.tell(problem);
    }
  }

  key(event) {
    if (event.target.closest?.("input, select, summary") || !(this.entry || this.lost)) return;
    if (event.target.closest?.("button") && (event.key === " " || event.key === "Enter")) return;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const work = {
      n: () => this.go(1), p: () => this.go(-1), PageDown: () => this.go(1), PageUp: () => this.go(-1),
      Enter: () => this.finish(), h: () => this.entry && this.findHeads(), b: () => this.mode(this.dots.mode === "dot" ? "box" : "dot"),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const held = event.key === "Enter" && event.repeat; // which would mark one picture after the other as done
    if (plain && work) held || work();
    else if (!this.entry || !this.dots.key(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  destroy() {
    this.flush();
    this.stage.destroy();
  }
}

// In a notebook: questions and answers are messages of the widget.
function render({ model, el }) {
  const waiting = new Map();
  let number = 0;
  const ask = (question) =>
    new Promise((resolve, reject) => {
      waiting.set(++number, { resolve, reject });
      model.send({ id: number, question });
    });
  const answered = ({ id, answer, problem }, buffers) => {
    const asked = waiting.get(id);
    if (!asked) return; // another view of the same widget asked
    waiting.delete(id);
    if (problem) asked.reject(problem);
    else asked.resolve(answer ?? new Blob([buffers[0]], { type: "image/jpeg" }));
  };
  number = Math.floor(Math.random() * 2 ** 30) * 2 ** 16; // views of one widget hear each other's answers
  model.on("msg:custom", answered);
  const annotator = new Annotator(new Texts(model.get("texts")), ask, { wheel: false });
  annotator.element.classList.add("cc-inline");
  annotator.element.addEventListener("keydown", (event) => annotator.key(event));
  el.append(annotator.element);
  annotator.start();
  return () => {
    annotator.destroy();
    model.off("msg:custom", answered);
  };
}

export default { render };
