// The page's side of crowdcount.select_zones: corners are clicked onto the picture, finished zones go to Python.
//
// The model holds `picture` (the bytes of a JPEG), `size` ([width, height] in pixels of the real picture, which may
// have more of them than the JPEG), `shapes` ([{name, polygon: [[x, y], ...]}], in pixels of the real picture) and
// `problem` (what Python has against the shapes). Only `shapes` is written here.

const SVG = "http://www.w3.org/2000/svg";
// Okabe and Ito's colors, told apart by readers of every kind of color vision.
const COLORS = ["#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2"];
// A click this near to the first corner, in pixels of the screen, closes the zone.
const CATCH = 10;
const HELP =
  "Click the corners of a zone one after the other. Close it by a double click, a click on its first corner or " +
  "Enter. Backspace takes the last corner back, Escape all of them.";

// Where a mouse event lies on the picture, in its pixels, to a tenth of one.
export function onPicture(event, box, [width, height]) {
  const place = (at, start, extent, side) =>
    Math.round(10 * Math.min(Math.max(((at - start) / extent) * side, 0), side)) / 10;
  return [place(event.clientX, box.left, box.width, width), place(event.clientY, box.top, box.height, height)];
}

// A name that no zone has yet.
export function freshName(shapes) {
  const taken = new Set(shapes.map((shape) => shape.name));
  let number = shapes.length + 1;
  while (taken.has(`zone ${number}`)) number += 1;
  return `zone ${number}`;
}

function svgElement(kind, attributes, text = "") {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.textContent = text;
  return element;
}

function htmlElement(kind, attributes, text = "") {
  const element = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.textContent = text;
  return element;
}

function render({ model, el }) {
  const size = model.get("size");
  const [width, height] = size;
  const address = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/jpeg" }));
  let corners = []; // of the zone that is being drawn
  let rows = []; // one for each finished zone: its name and the button that removes it

  // Lumino, which JupyterLab is made of, runs no keyboard shortcuts for keys pressed in elements marked so.
  const frame = htmlElement("div", { "data-lm-suppress-shortcuts": "true" });
  const canvas = svgElement("svg", {
    viewBox: `0 0 ${width} ${height}`,
    tabindex: 0,
    role: "application",
    "aria-label": `Picture to draw zones on. ${HELP}`,
    style:
      `display: block; width: 100%; max-width: ${width}px; height: auto; aspect-ratio: ${width} / ${height}; ` +
      "cursor: crosshair; touch-action: manipulation; user-select: none",
  });
  const drawn = svgElement("g", {});
  canvas.append(svgElement("image", { href: address, width, height, preserveAspectRatio: "none" }), drawn);
  const close = htmlElement("button", { type: "button" }, "Close zone");
  const undo = htmlElement("button", { type: "button" }, "Undo corner");
  const buttons = htmlElement("div", { style: "display: flex; gap: 6px; margin: 6px 0" });
  buttons.append(close, undo);
  const list = htmlElement("div", {});
  const problem = htmlElement("div", { role: "alert", style: "color: #B22222; font-weight: bold; margin: 6px 0" });
  frame.append(canvas, buttons, list, problem, htmlElement("div", { style: "opacity: 0.7; font-size: 90%" }, HELP));
  el.append(frame);

  function change(shapes) {
    model.set("shapes", shapes); // which draws
    model.save_changes();
  }

  function finish() {
    if (corners.length < 3) {
      problem.textContent = "A zone needs three corners or more.";
      return;
    }
    const shapes = model.get("shapes");
    const shape = { name: freshName(shapes), polygon: corners };
    corners = [];
    change([...shapes, shape]);
  }

  function takeBack() {
    corners = corners.slice(0, -1);
    draw();
  }

  // About a pixel of the screen, so that lines and letters are as thick there on any picture: one of more than about
  // 800 pixels is made to fit the page, a smaller one is shown as it is.
  const unit = Math.max(1, width / 800);

  function draw() {
    const shapes = model.get("shapes");
    drawn.replaceChildren();
    shapes.forEach(({ name, polygon }, index) => {
      const color = COLORS[index % COLORS.length];
      const points = polygon.map((corner) => corner.join(",")).join(" ");
      const look = { fill: color, "fill-opacity": 0.25, stroke: color, "stroke-width": 2.5 * unit };
      const middle = [0, 1].map((axis) => polygon.reduce((sum, corner) => sum + corner[axis], 0) / polygon.length);
      drawn.append(
        svgElement("polygon", { points, ...look }),
        svgElement(
          "text",
          {
            x: middle[0],
            y: middle[1],
            "text-anchor": "middle",
            "font-family": "sans-serif",
            "font-size": 18 * unit,
            fill: "white",
            stroke: "black",
            "stroke-width": 3 * unit,
            "paint-order": "stroke",
          },
          name,
        ),
      );
    });
    if (corners.length) {
      const points = corners.map((corner) => corner.join(",")).join(" ");
      drawn.append(svgElement("polyline", { points, fill: "none", stroke: "white", "stroke-width": 2.5 * unit }));
      corners.forEach(([cx, cy], index) => {
        const r = (index ? 4 : 7) * unit;
        drawn.append(svgElement("circle", { cx, cy, r, fill: "white", stroke: "black", "stroke-width": unit }));
      });
    }
    // Rows stay while their number does: a button that is replaced under the mouse misses its click.
    if (rows.length !== shapes.length) {
      rows = shapes.map((_, index) => row(index));
      list.replaceChildren(...rows.map(({ line }) => line));
    }
    rows.forEach(({ field, remove }, index) => {
      field.value = shapes[index].name;
      remove.setAttribute("aria-label", `remove ${shapes[index].name}`);
    });
    problem.textContent = model.get("problem");
    close.disabled = corners.length < 3;
    undo.disabled = corners.length === 0;
  }

  function row(index) {
    const line = htmlElement("div", { style: "display: flex; gap: 6px; align-items: center; margin: 3px 0" });
    const color = htmlElement("span", {
      style: `width: 14px; height: 14px; background: ${COLORS[index % COLORS.length]}`,
    });
    const field = htmlElement("input", { type: "text", "aria-label": "name of the zone" });
    field.addEventListener("change", () =>
      change(model.get("shapes").map((shape, at) => (at === index ? { ...shape, name: field.value.trim() } : shape))),
    );
    const remove = htmlElement("button", { type: "button" }, "Remove");
    remove.addEventListener("click", () => change(model.get("shapes").filter((_, at) => at !== index)));
    line.append(color, field, remove);
    return { line, field, remove };
  }

  canvas.addEventListener("click", (event) => {
    canvas.focus();
    // The second click of a double click comes before the double click itself: it is no corner.
    if (event.detail > 1) return;
    const box = canvas.getBoundingClientRect();
    if (corners.length > 2) {
      const [x, y] = corners[0];
      const across = box.left + (x / width) * box.width - event.clientX;
      const down = box.top + (y / height) * box.height - event.clientY;
      if (Math.hypot(across, down) < CATCH) return finish();
    }
    corners = [...corners, onPicture(event, box, size)];
    draw();
  });
  // Twice on the first corner: the first of the two clicks has closed the zone.
  canvas.addEventListener("dblclick", () => corners.length && finish());
  canvas.addEventListener("keydown", (event) => {
    const action = { Enter: finish, Backspace: takeBack, Escape: () => ((corners = []), draw()) }[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
  close.addEventListener("click", finish);
  undo.addEventListener("click", takeBack);
  model.on("change:shapes", draw);
  model.on("change:problem", draw);
  draw();

  return () => {
    model.off("change:shapes", draw);
    model.off("change:problem", draw);
    URL.revokeObjectURL(address);
  };
}

export default { render };
