// Small tools for elements, and the texts of the pages in the reader's language.

// An element with properties, attributes and children. No markup is ever made of text: what a file is named stays text.
export function h(kind, properties = {}, ...children) {
  const element = document.createElement(kind);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Put others in the place of what an element holds. Who goes by keys stays where he was: at the button or field in the
// same place, or the next that can be used.
export function renew(element, ...children) {
  const found = () => [...element.querySelectorAll("button, input")];
  const at = found().indexOf(document.activeElement);
  element.replaceChildren(...children);
  if (at < 0) return;
  const usable = ({ disabled }) => !disabled;
  (found().slice(at).find(usable) ?? found().findLast(usable))?.focus({ preventScroll: true });
}

const KEPT = "crowdcount-language";

export class Texts {
  // `all`: code of a language -> its texts. English stands in for what a language lacks.
  constructor(all) {
    this.all = all;
    this.use(this.wanted());
  }

  wanted() {
    let kept = null;
    try {
      kept = localStorage.getItem(KEPT);
    } catch {
      // storage may be forbidden: the browser's languages decide
    }
    const wishes = [kept, ...(navigator.languages || [navigator.language])].filter(Boolean);
    for (const wish of wishes) {
      const code = [wish, wish.split("-")[0]].find((each) => each in this.all);
      if (code) return code;
    }
    return "en";
  }

  use(code) {
    this.code = code;
    this.texts = { ...this.all.en, ...this.all[code] };
    this.numbers = new Intl.NumberFormat(code);
    this.plurals = new Intl.PluralRules(code);
  }

  keep(code) {
    this.use(code);
    try {
      localStorage.setItem(KEPT, code);
    } catch {
      // for this visit only, then
    }
  }

  has(key) {
    return key in this.texts;
  }

  // The text of a key, with {values} put in. With a `number` the language's plural: "key.one", "key.other".
  t(key, values = {}) {
    let text = this.texts[key];
    if (text === undefined && "number" in values) {
      const form = `${key}.${this.plurals.select(values.number)}`;
      text = this.texts[form] ?? this.texts[`${key}.other`];
    }
    return (text ?? key).replace(/\{(\w+)\}/g, (whole, name) =>
      name in values ? (typeof values[name] === "number" ? this.n(values[name]) : values[name]) : whole,
    );
  }

  n(number, digits = 0) {
    return digits ? new Intl.NumberFormat(this.code, { maximumFractionDigits: digits }).format(number)
      : this.numbers.format(Math.round(number));
  }

  // A number of people with digits no finer than a hundredth to a tenth of its range, or two digits without a range,
  // and never as nobody, as counting/words.py tells it.
  whole(number, { low, high }) {
    const width = low === undefined || high === undefined ? number : high - low;
    let unit = width >= 100 ? 10 ** (Math.floor(Math.log10(width)) - 1) : 1;
    if (number >= 1 && Math.round(number / unit) === 0) unit = 10 ** Math.floor(Math.log10(number));
    return this.n(Math.round(number / unit) * unit);
  }

  // People per square meter: in hundredths, of a sparse square as fine as its first digit, as counting/words.py.
  dense(number) {
    const first = number > 0 ? -Math.floor(Math.log10(number)) : 0;
    return this.exactly(number, Math.min(4, Math.max(2, first)));
  }

  exactly(number, digits) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(this.code, options).format(number);
  }

  span(ends) {
    return `${this.whole(ends.low, ends)}–${this.whole(ends.high, ends)}`;
  }

  // A sentence that came from Python, a "warning" or the "reason" of a refusal, in the reader's language where it is one
  // of ours; `otherwise` where not.
  sentence(english, kind = "warning", otherwise = english) {
    // Python writes its numbers as English does: 1,400 would be read as one and two fifths elsewhere.
    const here = (value) =>
      /^\d{1,3}(,?\d{3})*(\.\d+)?$/.test(value)
        ? this.exactly(Number(value.replaceAll(",", "")), value.split(".")[1]?.length ?? 0)
        : value;
    for (const key of Object.keys(this.all.en).filter((each) => each.startsWith(`${kind}.`))) {
      const parts = this.all.en[key].split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      const found = new RegExp(`^${parts.join("(.+?)")}$`).exec(english);
      if (!found) continue;
      const names = [...this.all.en[key].matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const told = this.t(key, Object.fromEntries(names.map((name, at) => [name, here(found[at + 1])])));
      return told.replace(": page (--page) names another.", "."); // here nothing does
    }
    return otherwise;
  }

  // Every element below `root` that is marked with a key gets its text; `document` its direction.
  fill(root) {
    for (const element of root.querySelectorAll("[data-text]")) element.textContent = this.t(element.dataset.text);
    for (const element of root.querySelectorAll("[data-title]")) {
      element.title = this.t(element.dataset.title);
      element.setAttribute("aria-label", element.title);
    }
    if (root === document) {
      document.documentElement.lang = this.code;
      document.documentElement.dir = this.texts.dir;
    }
  }
}

// Offer text or bytes as a file to save.
export function download(name, content, kind) {
  const address = URL.createObjectURL(new Blob([content], { type: kind }));
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// The name of a picture as a table holds it: none that a spreadsheet takes for a formula, none with a space in front, as
// `as_cell` in files.py.
export function named(name) {
  return /^[=+\-@\s]/.test(name) ? `./${name}` : name;
}

// A value as a cell of CSV (RFC 4180).
export function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
