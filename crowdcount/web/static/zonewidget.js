// Zones on one picture, in a notebook: the page's side of crowdcount.select_zones.
//
// The model holds `picture` (the bytes of a JPEG), `size` ([width, height] in pixels of the real picture, which may
// have more of them than the JPEG), `texts`, `shapes` ([{name, polygon: [[x, y], ...]}], in pixels of the real picture)
// and `problem` (what Python has against the shapes). Only `shapes` is written here.
import { h, Texts } from "./dom.js";
import { Stage, zoomButtons } from "./stage.js";
import { Zones, COLORS } from "./zones.js";

function render({ model, el }) {
  const texts = new Texts(model.get("texts"));
  const t = (key, values) => texts.t(key, values);
  const [width, height] = model.get("size");
  const stage = new Stage();
  const zones = new Zones(stage, changed, (number) => t("zone_name", { number }));
  stage.layers = [zones.layer];
  stage.tool = zones;
  stage.marks.setAttribute("aria-label", `${t("picture")}. ${t("hint.zone")} ${t("keys.zone")}`);
  stage.element.style.setProperty("--shape", width / height);
  zones.load(model.get("shapes"), []);

  const button = (key, work) => h("button", { className: "cc-button", type: "button", onclick: work }, t(key));
  const close = button("close_zone", () => zones.finish());
  const undo = button("undo_corner", () => zones.undo());
  const list = h("div", { className: "cc-list" });
  const problem = h("p", { className: "cc-note cc-error", role: "alert", dir: "auto" });
  const frame = h("div", { className: "cc-root cc-inline cc-zones", lang: texts.code, dir: texts.texts.dir },
    h("div", { className: "cc-place" }, stage.element, zoomButtons(stage, texts)),
    h("div", { className: "cc-row" }, close, undo), problem, list, h("p", { className: "cc-soft" }, t("hint.zone")),
    h("details", { className: "cc-soft cc-keys" }, h("summary", {}, t("keys")), t("keys.zone")));
  // Lumino, which JupyterLab is made of, runs no keyboard shortcuts for keys pressed in elements marked so.
  frame.setAttribute("data-lm-suppress-shortcuts", "true");
  let rows = []; // one for each finished zone: its name and the button that removes it

  function changed(whole) {
    if (whole) {
      model.set("shapes", zones.shapes);
      model.save_changes();
    }
    show();
  }

  // What Python, or another view of the widget, has made of the zones. Corners that are being drawn stay.
  function heard() {
    zones.shapes = model.get("shapes");
    stage.draw();
    show();
  }

  function show() {
    const { shapes } = zones;
    // Rows stay while their number does: a button that is replaced under the mouse misses its click.
    if (rows.length !== shapes.length) {
      rows = shapes.map((_, index) => row(index));
      list.replaceChildren(...rows.map(({ line }) => line));
    }
    rows.forEach(({ field, remove }, index) => {
      field.value = shapes[index].name;
      remove.ariaLabel = t("remove_zone", { name: shapes[index].name });
    });
    problem.textContent = zones.problem ? t(zones.problem) : model.get("problem");
    problem.hidden = !problem.textContent;
    close.disabled = zones.corners.length < 3;
    undo.disabled = !zones.corners.length;
  }

  function row(index) {
    const swatch = h("span", { className: "cc-swatch" });
    swatch.style.background = COLORS[index % COLORS.length];
    const field = h("input", { type: "text", dir: "auto", ariaLabel: t("zone_label") });
    field.addEventListener("change", () => zones.rename(index, field.value.trim()));
    const remove = h("button", { className: "cc-button", type: "button", onclick: () => zones.remove(index) }, "×");
    return { line: h("div", { className: "cc-row" }, swatch, field, remove), field, remove };
  }

  stage.marks.addEventListener("keydown", (event) => {
    if (!(stage.tool ?? stage).key(event)) return; // the notebook's
    event.preventDefault();
    event.stopPropagation();
  });
  model.on("change:shapes", heard);
  model.on("change:problem", show);
  show();
  el.append(frame);
  stage.show(new Blob([model.get("picture")], { type: "image/jpeg" }), width, height);

  return () => {
    model.off("change:shapes", heard);
    model.off("change:problem", show);
    stage.destroy();
  };
}

export default { render };
