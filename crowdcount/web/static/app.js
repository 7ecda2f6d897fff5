// The page of `crowdcount app`: photos in, numbers out.
import { cell, download, h, named, renew, Texts } from "./dom.js";
import { Stage } from "./stage.js";
import { Dots } from "./dots.js";
import { Zones, COLORS } from "./zones.js";
import { Counts, drawHeat, isMeant, isPhoto } from "./counts.js";

const $ = (id) => document.getElementById(id);

// --- Photos in ------------------------------------------------------------------------------------------------
// These listeners stand before anything is fetched: a photo that comes early waits until the page is ready.

let start;
const ready = new Promise((resolve) => (start = resolve));
const take = async (files, folder = false) => {
  const pictures = [...files]; // a field's list empties with the field
  await ready;
  say(folder && !pictures.length ? "no_photos" : "");
  add(pictures);
};

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("over"));
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const folder = [...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
  take(await dropped(event.dataTransfer), folder);
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));
for (const id of ["choose", "more"]) $(id).addEventListener("click", () => $("files").click());
$("choose-folder").addEventListener("click", () => $("folder").click());
$("files").addEventListener("change", () => (take($("files").files), ($("files").value = "")));
$("folder").addEventListener("change", async () => {
  const files = [...$("folder").files];
  $("folder").value = "";
  const photos = await Promise.all(files.map(isPhoto));
  take(files.filter((file, position) => photos[position]), true);
});
$("example").addEventListener("click", async () => {
  await ready;
  const answer = await fetch("example.jpg").catch(() => null);
  if (!answer?.ok) return say(answer?.status === 401 ? "error.token" : "error.no_server");
  const picture = await answer.blob();
  say("");
  add([new File([picture], `${t("example_name")}.jpg`, { type: "image/jpeg" })]);
});

const texts = new Texts(await (await fetch("texts")).json());
const { models } = await (await fetch("api/models")).json();
const t = (key, values) => texts.t(key, values);

const counts = new Counts((item) => (item === shown ? show() : rows()));
const stage = new Stage();
const dots = new Dots(stage, (real = true) => {
  // Before there are heads of the model, dots that were all taken back are none by hand.
  const byHand = { points: dots.points, ignore: dots.ignore, ...dots.steps, byHand: true, saved: false };
  if (shown && real) shown.dots = shown.record || dots.past.length ? byHand : null;
  tools();
});
const zones = new Zones(stage, zonesChanged, (number) => t("zone_name", { number }));
// Tell what became of a choice of photos: a key of the texts, "" for nothing.
function say(key) {
  $("said").dataset.key = key;
  $("said").textContent = key && t(key);
}

let shown = null; // the item on the stage
let onStage = null; // the item whose picture is decoded
let mode = "look";
let typed = null; // the item whose sides of the ground have fields

$("stage").prepend(stage.element);
stage.layers = [paintHeat, (context) => zones.layer(context), (context) => mode === "dots" && dots.layer(context)];

function paintHeat(context) {
  const opacity = $("heat").value / 100;
  if (!shown?.heat || !opacity || onStage !== shown || mode === "dots") return;
  const { scale, x, y } = stage.view;
  context.save();
  context.beginPath();
  context.rect(x, y, stage.size[0] * scale, stage.size[1] * scale);
  context.clip();
  context.globalAlpha = opacity;
  drawHeat(context, shown.heat, shown.record, scale, x, y);
  context.restore();
}

function add(pictures) {
  if (!pictures.length) return;
  $("welcome").hidden = true;
  $("work").hidden = false;
  const added = counts.add(pictures);
  pick(added[0]);
}

// The files of what was dropped, those in folders too.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const files = [];
  async function take(entry, within) {
    if (entry.isFile) {
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      if (!file) return; // may not be read: the others are counted
      if (within) file.path = entry.fullPath.slice(1); // as `webkitRelativePath` of a folder that is chosen
      if (!within || (await isPhoto(file))) files.push(file);
      return;
    }
    if (within && !isMeant(entry.name)) return;
    const reader = entry.createReader();
    for (let part; (part = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])))).length; )
      for (const inside of part) await take(inside, true);
  }
  for (const entry of entries) await take(entry, false);
  return files;
}

// Dots by hand are in this page alone until they are saved.
window.addEventListener("beforeunload", (event) => {
  if (counts.items.some((item) => item.dots?.byHand && !item.dots.saved)) event.preventDefault();
});

// --- One picture ----------------------------------------------------------------------------------------------

async function pick(item) {
  stage.letGo(); // what is dragged is of the picture before
  shown = item;
  zones.load(item?.shapes ?? [], item?.ground ?? []);
  if (!item) {
    $("welcome").hidden = false;
    $("work").hidden = true;
    return rows();
  }
  dots.load(item.dots?.points ?? [], item.dots?.ignore ?? [], item.dots ?? {});
  show();
  await put(item);
}

async function put(item) {
  onStage = null;
  // What the browser cannot decode has no size before the server has counted it.
  const size = () => [item.record?.width, item.record?.height];
  // Another one may be shown by the time that it is told: that one stays.
  const done = await stage.show(item.file, ...size()).catch(() => item === shown && stage.show(null, ...size()));
  if (done && item === shown && stage.there) onStage = item;
  stage.element.style.setProperty("--shape", stage.size[0] / stage.size[1]);
  stage.draw();
}

function show() {
  const { record, problem, state } = shown;
  $("name").textContent = shown.name;
  $("busy").hidden = state !== "counting" && state !== "waiting";
  $("busy").textContent = t("counting");
  $("number").textContent = record ? texts.whole(record.count, record) : problem ? "–" : "…";
  $("about").textContent = record ? t("about") : "";
  // Weights may be of something else than people; then their card's word stands here, in whatever language.
  const thing = models.find(({ name }) => name === record?.model)?.thing;
  const word = thing && thing !== "people" ? thing : t("unit", { number: Math.round(record?.count ?? 0) });
  $("unit").textContent = record ? word : "";
  $("range").textContent = record?.low === undefined ? "" : t("between", {
    low: texts.whole(record.low, record), high: texts.whole(record.high, record), share: texts.n(100 * record.coverage),
  });
  $("notes").replaceChildren(
    ...(record?.warnings ?? []).map((text) => h("p", { className: "cc-note cc-warning" }, texts.sentence(text))),
    ...(problem ? [h("p", { className: "cc-note cc-error", dir: "auto" }, told(problem))] : []),
  );
  if (record && shown.dots && !dots.past.length) dots.load(shown.dots.points, shown.dots.ignore, shown.dots);
  // What the browser cannot decode, and the server could, is shown by its heat map alone.
  if (record && !stage.levels.length && onStage !== shown) put(shown);
  tools();
  zoneCard();
  rows();
  stage.draw();
}

function told({ code, text }) {
  return texts.sentence(text ?? "", "reason", texts.has(`error.${code}`) ? t(`error.${code}`) : text);
}

// --- Tools ----------------------------------------------------------------------------------------------------

function setMode(wanted) {
  mode = wanted;
  stage.tool = { look: null, zone: zones, ground: zones, dots }[mode];
  if (mode === "zone" || mode === "ground") zones.mode = mode;
  stage.marks.style.cursor = mode === "look" ? "grab" : "crosshair";
  tools();
  stage.draw();
}

for (const button of $("modes").children) {
  button.addEventListener("click", (event) => {
    setMode(button.dataset.mode);
    // Whoever chose by a key goes on by keys, on the picture.
    if (event.detail || !stage.tool) return;
    stage.marks.focus();
    stage.tool.cross.show();
  });
}
$("heat").addEventListener("input", () => stage.draw());
$("plus").addEventListener("click", () => stage.zoom(1.5));
$("minus").addEventListener("click", () => stage.zoom(1 / 1.5));
$("fit").addEventListener("click", () => stage.fit());
stage.marks.addEventListener("keydown", (event) => {
  if ((stage.tool ?? stage).key(event)) event.preventDefault();
});

const button = (key, work, enabled = true) => h("button", { className: "cc-button", onclick: work, disabled: !enabled }, t(key));

function tools() {
  for (const each of $("modes").children) each.setAttribute("aria-pressed", String(each.dataset.mode === mode));
  stage.marks.setAttribute("aria-label", `${t("picture")}. ${t(`hint.${mode}`)} ${t(`keys.${mode}`)}`);
  $("hint").textContent = t(zones.problem || `hint.${mode}`);
  $("keys").textContent = t(`keys.${mode}`);
  // Fields stay while they are typed in.
  if (mode === "ground" && typed === shown && $("actions").dataset.code === texts.code) return;
  typed = mode === "ground" ? shown : null;
  $("actions").dataset.code = texts.code;
  const made = {
    look: () => [],
    zone: () => [
      button("close_zone", () => zones.finish(), zones.corners.length > 2),
      button("undo_corner", () => zones.undo(), zones.corners.length > 0),
    ],
    ground: () => [
      side("side_1", 0),
      side("side_2", 1),
      button("clear_ground", () => zones.clearGround()),
    ],
    dots: () => [
      h("strong", {}, t("dots", { number: dots.points.length })),
      button("undo", () => dots.undo(), dots.past.length > 0),
      button("delete", () => dots.removeChosen(), dots.chosen !== null),
      button("no_dots", () => dots.replace([]), dots.points.length > 0),
      button("model_dots", () => dots.replace(shown.record.heads), Boolean(shown?.record)),
      button("save_dots", saveDots, dots.points.length > 0),
    ],
  }[mode]();
  renew($("actions"), ...made);
}

function side(key, index) {
  const field = h("input", { type: "number", min: "0", step: "any", value: shown?.sides[index] ?? "" });
  field.addEventListener("input", () => {
    shown.sides = shown.sides.map((value, at) => (at === index ? field.value : value));
    counts.countZones(shown);
  });
  return h("label", {}, t(key), field, t("meters"));
}

function saveDots() {
  const { name } = shown.file; // beside which the table is to lie
  const lines = dots.points.map(([x, y]) => `${cell(named(name))},${x},${y}\r\n`);
  // Of numbers that are all so small readers would ask whether they are percent.
  const places = dots.points.flat().every((at) => at <= 101) ? "x (px),y (px)" : "x,y";
  download(`${name.replace(/\.\w+$/, "")}.csv`, `picture,${places}\r\n${lines.join("")}`, "text/csv");
  if (shown.dots) shown.dots.saved = true;
}

function zonesChanged(whole) {
  if (!shown) return;
  [shown.shapes, shown.ground] = [zones.shapes, zones.ground];
  if (whole) counts.countZones(shown);
  tools();
  zoneCard();
  // The keys that have set the four points write the sides next.
  if (whole && mode === "ground" && zones.ground.length === 4 && zones.cross.at) $("actions").querySelector("input").focus();
}

function zoneCard() {
  const { shapes, zones: found } = shown;
  $("zones").hidden = !shapes.length;
  const onGround = Boolean(found?.per_m2);
  const ranged = Boolean(found?.zone_ranges);
  const unknown = shown.problem || found?.error ? "–" : "…";
  const head = h("tr", {}, h("th"), h("th", {}, t("zone")), h("th", { className: "figure" }, t("people")),
    ranged ? h("th", { className: "figure" }, t("range")) : null,
    onGround ? h("th", { className: "figure" }, t("per_m2")) : null, h("th"));
  const lines = shapes.map(({ name }, index) => {
    const swatch = h("span", { className: "swatch" });
    swatch.style.background = COLORS[index % COLORS.length];
    const field = h("input", { type: "text", value: name, ariaLabel: t("zone_label") });
    field.addEventListener("change", () => zones.rename(index, field.value.trim() || name));
    const people = found?.zones?.[name];
    const [low, high] = found?.zone_ranges?.[name] ?? [];
    const dense = found?.per_m2?.[name];
    return h("tr", {}, h("td", {}, swatch), h("td", {}, field),
      h("td", { className: "figure" }, people === undefined ? unknown : texts.whole(people, { low, high })),
      ranged ? h("td", { className: "figure cc-soft" }, low === undefined ? "" : texts.span({ low, high })) : null,
      onGround ? h("td", { className: "figure" }, dense === undefined ? "" : texts.dense(dense)) : null,
      h("td", {}, h("button", { className: "remove", ariaLabel: t("remove_zone", { name }), onclick: () => zones.remove(index) }, "×")));
  });
  const problem = found?.error
    ? h("p", { className: "cc-note cc-error" }, told({ code: found.code, text: found.error })) : null;
  const alike = counts.items.filter((item) => item !== shown && alikeSize(item, shown));
  const spread = alike.length
    ? button("zones_for_all", () => {
        for (const item of alike) {
          [item.shapes, item.ground, item.sides] = [shown.shapes, shown.ground, shown.sides];
          counts.countZones(item);
        }
      })
    : null;
  renew($("zones"), h("h2", {}, t("zones")), h("table", {}, h("thead", {}, head), h("tbody", {}, ...lines)),
    ...[problem, spread].filter(Boolean));
}

function alikeSize(a, b) {
  return Boolean(a.record && b.record && a.record.width === b.record.width && a.record.height === b.record.height);
}

// --- All pictures ---------------------------------------------------------------------------------------------

function rows() {
  renew($("rows"), ...counts.items.map(row));
  const done = counts.done;
  const waiting = counts.items.filter((item) => item.state === "waiting" || item.state === "counting").length;
  $("progress").textContent = waiting ? t("progress", { done: counts.items.length - waiting, all: counts.items.length }) : "";
  const total = counts.total();
  $("total").replaceChildren(
    ...(done.length > 1
      ? [h("tr", {}, h("td"), h("td", {}, done.length < counts.items.length
          ? t("total_some", { done: done.length, all: counts.items.length }) : t("total")), h("td", { className: "figure" }, texts.whole(total.count, { low: 0, high: total.width })),
          h("td", { className: "figure cc-soft" }, total.low === undefined ? "" : texts.span(total)),
          h("td", { className: "note-cell" }), h("td"))]
      : []),
  );
  for (const id of ["csv", "report"]) $(id).disabled = !done.length;
}

function row(item) {
  const { record, problem, state } = item;
  const small = h("td", { className: "thumb" });
  if (item.thumbnail) small.append(item.thumbnail);
  const note = problem ? told(problem) : (record?.warnings ?? []).map((text) => texts.sentence(text)).join(" ");
  const line = h("tr", { ariaSelected: String(item === shown), onclick: () => pick(item) },
    small,
    h("td", {}, h("button", { className: "pick", dir: "auto", ariaCurrent: String(item === shown) }, item.name),
      // In its own column where there is room for one.
      note ? h("p", { className: `note-below cc-soft${problem ? " wrong" : ""}` }, note) : null),
    h("td", { className: "figure" }, record ? texts.whole(record.count, record) : problem ? "–" : t(state)),
    h("td", { className: "figure cc-soft" }, record?.low === undefined ? "" : texts.span(record)),
    h("td", { className: `note-cell cc-soft${problem ? " wrong" : ""}` }, note),
    h("td", { className: "close" }, h("button", { className: "remove", ariaLabel: t("remove", { name: item.name }), onclick: (event) => {
      event.stopPropagation();
      const byHand = item.dots?.byHand && !item.dots.saved && item.dots.points.length;
      if (byHand && !confirm(t("lose_dots", { name: item.name }))) return;
      counts.remove(item);
      if (item === shown) pick(counts.items[0] ?? null);
      else rows();
    } }, "×")));
  return line;
}

$("csv").addEventListener("click", () => download("crowdcount.csv", `\ufeff${counts.csv()}`, "text/csv"));
$("report").addEventListener("click", async () => {
  try {
    download("crowdcount.html", await counts.report(), "text/html");
  } catch (problem) {
    $("progress").textContent = told(problem);
  }
});

// --- Language and model ---------------------------------------------------------------------------------------

function speak() {
  texts.fill(document);
  say($("said").dataset.key ?? "");
  $("model").replaceChildren(
    ...models.map(({ name, default: usual }) => {
      const told = texts.has(`model.${name}`) ? t(`model.${name}`) : name;
      return h("option", { value: name, selected: counts.model ? name === counts.model : usual }, told);
    }),
  );
  if (shown) show();
  setMode(mode);
}

$("language").replaceChildren(...Object.entries(texts.all).map(([code, { name }]) => h("option", { value: code, selected: code === texts.code }, name)));
$("language").addEventListener("change", () => (texts.keep($("language").value), speak()));
$("model").addEventListener("change", () => (counts.use($("model").value), shown && show()));
speak();
document.body.classList.remove("waiting");
start();
