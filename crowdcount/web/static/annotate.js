// The local page of `crowdcount annotate`.
import { h, Texts } from "./dom.js";
import { Annotator } from "./annotator.js";
import { post } from "./counts.js";

const texts = new Texts(await (await fetch("texts")).json());

async function ask(question) {
  const wanted = question.ask === "picture" ? "blob" : "json";
  const { ok, content } = await post("api/annotate", JSON.stringify(question), "application/json", wanted);
  if (ok) return content;
  const told = texts.has(`error.${content.code}`) ? texts.t(`error.${content.code}`) : content.error;
  throw { ...content, error: told };
}

let annotator = null;

async function begin() {
  const at = annotator?.at;
  if (annotator && !(await annotator.flush())) return;
  annotator?.element.remove();
  annotator?.stage.destroy();
  texts.fill(document);
  annotator = new Annotator(texts, ask, { wheel: true });
  document.getElementById("place").append(annotator.element);
  await annotator.start();
  if (annotator.pictures[at] && at !== annotator.at) await annotator.open(at);
}

document.addEventListener("keydown", (event) => annotator?.key(event));
window.addEventListener("beforeunload", (event) => {
  if (!annotator?.dirty) return;
  annotator.flush();
  event.preventDefault();
});
const language = document.getElementById("language");
language.replaceChildren(...Object.entries(texts.all).map(([code, { name }]) => h("option", { value: code, selected: code === texts.code }, name)));
language.addEventListener("change", () => (texts.keep(language.value), begin()));
await begin();
