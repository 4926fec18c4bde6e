// Filters of the overview, copying of commands, details that open where a link leads, and the start of charts.
const chips = document.querySelector(".chips");
const rows = [...document.querySelectorAll("tr[data-word]")];
const told = document.querySelector("#told");

if (chips) {
  chips.hidden = false;
  chips.addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (!chip) return;
    for (const other of chips.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === chip));
    const word = chip.dataset.word;
    for (const row of rows) row.hidden = Boolean(word) && row.dataset.word !== word;
    for (const part of document.querySelectorAll(".overview section"))
      part.hidden = ![...part.querySelectorAll("tr[data-word]")].some((row) => !row.hidden);
    const shown = rows.filter((row) => !row.hidden).length;
    told.textContent = word ? `${shown} of ${rows.length} figures and tables shown.` : "";
  });
}

document.querySelectorAll("button.copy").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
});

const reveal = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const closed = target.matches("details") ? target : target.closest("details");
  if (closed && !closed.open) {
    closed.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", reveal);
reveal();

// Charts are made when they come near the window: a page has dozens of them.
const start = (root) => new Chart(root, JSON.parse(document.getElementById(`${root.id}-data`).textContent));
const near = new IntersectionObserver((entries) => {
  for (const entry of entries)
    if (entry.isIntersecting) {
      near.unobserve(entry.target);
      start(entry.target);
    }
}, { rootMargin: "800px" });
document.querySelectorAll(".chart").forEach((root) => {
  root.closest(".explore").hidden = false;
  near.observe(root);
});
