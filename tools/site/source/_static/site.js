// A page with folded outcomes gets a button that opens them all, for those who only read.
document.addEventListener("DOMContentLoaded", () => {
  const folded = document.querySelectorAll(".tag_reveal details");
  const title = document.querySelector("article h1");
  if (!folded.length || !title) return;
  const button = document.createElement("button");
  button.className = "open-reveals";
  button.textContent = `I only read: open all ${folded.length} outcomes`;
  button.addEventListener("click", () => {
    folded.forEach((each) => { each.open = true; });
    button.remove();
  });
  title.after(button);
});
