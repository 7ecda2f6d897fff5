// The pictures of a visit and what the server has answered to each. They live in this page alone.
import { cell, named } from "./dom.js";

const THUMBNAIL = 400; // longest side in a report
// What the server takes as one photo, see bodies.py: it hangs up on more, and the browser tells no more than that.
const MOST_BYTES = 64 * 2 ** 20;
// What the server takes as one report, see bodies.py and answers.py; it hangs up on more before it can say so.
const [MOST_REPORT, MOST_ENTRIES] = [32 * 2 ** 20, 2000];
const COLUMNS = ["picture", "count", "low", "high", "coverage", "width", "height", "scale", "model", "seconds", "warnings", "error"];
// What names of pictures end in, those that cannot be read among them, and folders that nobody means: as in
// data/images.py.
const PICTURES = new Set([
  ..."jpg jpeg jpe jfif pjpeg mpo insp png apng webp bmp dib tif tiff gif avif avifs jp2 j2k j2c jpf jpx pbm ppm pgm".split(" "),
  ..."pnm pfm tga heic heics heif hif jxl psd exr dng crw cr2 cr3 nef arw orf raf rw2 x3f mrw".split(" "),
]);
const NOT_MEANT = new Set("@eaDir #recycle $RECYCLE.BIN __MACOSX".split(" "));

// What `crowdcount.data.overlay_files` writes into overlays, and where: behind the length of a PNG's first text.
const OVERLAY = { text: "tEXtSoftware\0crowdcount overlay", at: 37 };

// Whether a folder within another is looked into: no hidden one, and none of small copies or of what was thrown away.
export function isMeant(folder) {
  return !folder.startsWith(".") && !NOT_MEANT.has(folder);
}

// Whether a file of a folder is a photo: by its name, hidden ones are none; overlays of earlier counts say what they are.
export async function isPhoto(file) {
  const dot = file.name.lastIndexOf(".");
  if (dot < 1 || file.name.startsWith(".") || !PICTURES.has(file.name.slice(dot + 1).toLowerCase())) return false;
  if (!(file.webkitRelativePath ?? "").split("/").slice(1, -1).every(isMeant)) return false;
  if (!/\.png$/i.test(file.name)) return true;
  const there = file.slice(OVERLAY.at, OVERLAY.at + OVERLAY.text.length);
  return (await there.text().catch(() => "")) !== OVERLAY.text;
}

export class Counts {
  // `changed`: called with an item when something of it is new.
  constructor(changed) {
    this.items = [];
    this.changed = changed;
    this.model = "";
    this.working = false;
  }

  add(files) {
    const added = [...files].map((file) => ({
      // Of those in a folder with the folders: each day has its IMG_0001.jpg.
      file, name: file.path || file.webkitRelativePath || file.name,
      record: null, problem: null, state: "waiting", heat: null, thumbnail: null, dots: null,
      shapes: [], ground: [], sides: ["", ""], zones: null,
    }));
    this.items.push(...added);
    this.work();
    return added;
  }

  remove(item) {
    this.items = this.items.filter((each) => each !== item);
    item.heat?.close();
  }

  // Count everything again with another model. Dots by hand stay, a model's are those of the new one.
  use(model) {
    this.model = model;
    for (const item of this.items) {
      item.state = "waiting";
      if (!item.dots?.byHand) item.dots = null;
    }
    this.work();
  }

  // One picture after the other: others may be in the server's line too.
  async work() {
    if (this.working) return;
    this.working = true;
    try {
      for (let item; (item = this.items.find((each) => each.state === "waiting")); ) {
        item.state = "counting";
        this.changed(item);
        await this.count(item, this.model).catch((error) => {
          // As where the memory does not suffice for a heat map: the others go on.
          if (item.state !== "waiting") item.state = "failed";
          [item.problem, item.record, item.thumbnail] = [{ code: "failed", text: String(error) }, null, null];
        });
        this.changed(item);
      }
    } finally {
      this.working = false;
    }
  }

  async count(item, model) {
    if (item.file.type.startsWith("video/")) {
      [item.state, item.problem] = ["failed", { code: "video", text: `${item.name} is a video, no picture.` }];
      return;
    }
    if (item.file.size > MOST_BYTES) {
      [item.state, item.problem] = ["failed", { code: "too_large", text: `${item.name} has more than 64 MiB.` }];
      return;
    }
    const query = new URLSearchParams({ name: item.name, details: "1", ...(model && { model }) });
    const { ok, status, content, retry } = await post(`api/count?${query}`, item.file, kindOf(item.file));
    if (item.state !== "counting") return; // meanwhile asked for anew
    if (status === 503) {
      await later(retry);
      if (item.state === "counting") item.state = "waiting";
      return;
    }
    item.state = ok ? "done" : "failed";
    item.problem = ok ? null : { code: await reason(content.code, item.file), text: content.error };
    item.record = ok ? content : null;
    // What was made of the count before is none of this one's.
    item.heat?.close();
    [item.heat, item.zones, item.turn] = [null, null, null];
    if (!ok) {
      item.thumbnail = null;
      return;
    }
    const bytes = Uint8Array.from(atob(content.heat), (letter) => letter.charCodeAt(0));
    item.heat = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    item.dots ??= { points: content.heads, ignore: [] }; // those by hand that came first stay
    item.thumbnail = await thumbnail(item);
    if (item.shapes.length) await this.countZones(item);
  }

  // The people in an item's zones, counted by the server in the map that it has answered.
  async countZones(item) {
    const turn = (item.turn = {});
    if (!item.record || !item.shapes.length) {
      item.zones = null;
      return this.changed(item);
    }
    const { width, height, density, model, coverage, scale, kind, other } = item.record;
    const range = kind && { model, coverage, scale, kind, other };
    const ask = async (ground) => {
      const drawn = item.shapes.map((shape) => ({ ...shape, unit: "pixels" }));
      const asked = JSON.stringify({ width, height, density, zones: drawn, ground, range });
      for (;;) {
        const { status, content, retry } = await post("api/zones", asked, "application/json");
        if (status !== 503 || turn !== item.turn) return content;
        await later(retry); // the line is full
      }
    };
    const ground = groundOf(item);
    let content = await ask(ground);
    // What is wrong with the ground is told beside the people, who are counted without it.
    if (content.error && ground) {
      const alone = await ask(null);
      content = alone.error ? alone : { ...alone, error: content.error, code: about("ground", content) };
    }
    if (content.error) content.code = about("zones", content);
    if (turn !== item.turn) return; // drawn on meanwhile
    item.zones = content;
    this.changed(item);
  }

  // The sum of all pictures, with the range that it has if all are off the same way.
  total() {
    const records = this.done.map((item) => item.record);
    const sum = (key) => records.reduce((people, record) => people + record[key], 0);
    const ranged = records.every((record) => record.low !== undefined);
    // A count without a range is told as if beside one as wide as itself, see `whole`.
    const width = records.reduce((people, { count, low = 0, high = count }) => people + high - low, 0);
    return { count: sum("count"), width, ...(ranged && { low: sum("low"), high: sum("high") }) };
  }

  get done() {
    return this.items.filter((item) => item.record);
  }

  // The table as crowdcount count --csv writes it.
  csv() {
    const zones = [...new Set(this.items.flatMap((item) => item.shapes.map((shape) => shape.name)))];
    const onGround = this.items.some((item) => item.zones?.per_m2);
    const columns = [...COLUMNS, ...zones.map((name) => `zone ${name}`)];
    columns.push(...zones.flatMap((name) => [`low ${name}`, `high ${name}`]));
    if (onGround) columns.push(...zones.map((name) => `per m2 ${name}`));
    const rows = this.items.map((item) => {
      const record = item.record ?? { error: item.problem?.text ?? "not counted" };
      const error = record.error ?? item.zones?.error; // as of zones that cannot be counted
      const told = { ...record, error, picture: named(item.name), warnings: (record.warnings ?? []).join(" ") };
      const found = COLUMNS.map((key) => told[key]);
      found.push(...zones.map((name) => item.zones?.zones?.[name]));
      found.push(...zones.flatMap((name) => item.zones?.zone_ranges?.[name] ?? [undefined, undefined]));
      if (onGround) found.push(...zones.map((name) => item.zones?.per_m2?.[name]));
      return found;
    });
    return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  }

  async report() {
    const entries = await Promise.all(
      this.items.map(async (item) => ({
        ...(item.record ?? { error: item.problem?.text ?? "not counted" }),
        picture: item.name, density: undefined, heat: undefined, heads: undefined,
        thumbnail: item.thumbnail ? await base64(item.thumbnail) : null,
        ...(item.zones?.error && { error: item.zones.error }),
        zones: item.zones?.zones, zone_ranges: item.zones?.zone_ranges, per_m2: item.zones?.per_m2,
      })),
    );
    const asked = JSON.stringify({ entries });
    if (asked.length > MOST_REPORT || entries.length > MOST_ENTRIES) throw { code: "report_too_large" };
    const { ok, content } = await post("api/report", asked, "application/json", "text");
    if (!ok) throw { code: content.code, text: content.error };
    return content;
  }
}

// The rectangle on the ground as points [x, y, X, Y], once it has four corners and two sides in meters.
function groundOf({ ground, sides }) {
  const [long, deep] = sides.map(Number);
  if (ground.length !== 4 || !(long > 0) || !(deep > 0)) return null;
  const measured = [[0, 0], [long, 0], [long, deep], [0, deep]];
  // Said, or numbers up to 100 would be asked about: they could be percent.
  return { unit: "pixels", points: ground.map((corner, index) => [...corner, ...measured[index]]) };
}

// The code of an error that has no text of its own in another language: what it is about.
const about = (what, { code = "not_usable" }) => (code === "not_usable" ? what : code);

// Wait until a full line may have room, as long as the server says.
const later = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(seconds || 2, 30)));

export async function post(address, body, kind, wanted = "json") {
  let answer = null;
  try {
    answer = await fetch(address, { method: "POST", body, headers: { "Content-Type": kind } });
    const content = await answer[answer.ok ? wanted : "json"]();
    return { ok: answer.ok, status: answer.status, content, retry: Number(answer.headers.get("retry-after")) };
  } catch (error) {
    // What is no JSON comes from another server, through which this one is asked.
    const code = answer?.status === 413 ? "too_large_between" : "no_server";
    const told = answer ? `A server answered with status ${answer.status}.` : String(error);
    return { ok: false, status: 0, content: { code, error: told } };
  }
}

// A file that was moved or deleted since it was chosen cannot be sent either.
async function reason(code, file) {
  if (code !== "no_server") return code;
  // Of such a file Chromium gives an error, or fewer bytes.
  const bytes = await file.arrayBuffer().then((all) => all.byteLength, () => -1);
  return bytes === file.size ? code : "unreadable";
}

function kindOf(file) {
  return file.type.startsWith("image/") ? file.type : "application/octet-stream";
}

// The picture with its heat map, small.
async function thumbnail({ file, record, heat }) {
  const scale = Math.min(1, THUMBNAIL / Math.max(record.width, record.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [record.width, record.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  try {
    const picture = await createImageBitmap(file, { resizeWidth: canvas.width, resizeHeight: canvas.height, resizeQuality: "high" });
    context.drawImage(picture, 0, 0);
    picture.close();
  } catch {
    context.fillRect(0, 0, canvas.width, canvas.height); // a kind that this browser cannot show
  }
  drawHeat(context, heat, record, scale);
  return canvas;
}

// Lay a heat map over a picture that is drawn at a scale. Its cells reach a little beyond the picture.
export function drawHeat(context, heat, { rows, columns }, scale, x = 0, y = 0) {
  context.imageSmoothingEnabled = true;
  context.drawImage(heat, x, y, columns * 8 * scale, rows * 8 * scale);
}

async function base64(canvas) {
  return canvas.toDataURL("image/jpeg", 0.75).split(",")[1];
}
