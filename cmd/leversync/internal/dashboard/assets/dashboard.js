// Everything works without this script. It follows what changes on the server, opens rows in place, copies, and spares a second click.
"use strict";

const root = document.documentElement;
root.classList.remove("no-script");

// A page that shows a secret once has an address of its own to load again: a reload must not make another.
if (document.body.dataset.url) history.replaceState(null, "", document.body.dataset.url);

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.target.method !== "post") return;
  if (button.getAttribute("aria-disabled") === "true") event.preventDefault();
  button.setAttribute("aria-disabled", "true");
});
// A page that the back button brings back is as it was left.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
});

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-go]")) event.target.form.requestSubmit();
});

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("button[data-copy]");
  if (copy) return copyFrom(copy, document.getElementById(copy.dataset.copy));
  const open = event.target.closest("a[data-open]");
  if (open && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    openRow(open);
  }
});

async function copyFrom(button, input) {
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText(input.value);
  } catch {
    input.select(); // not allowed, or not over https: the older way
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = was; }, 2000);
}

// openRow shows what a link leads to in a row below its own, and takes it away again.
async function openRow(link) {
  const row = link.closest("tr");
  if (row.nextElementSibling && row.nextElementSibling.classList.contains("opened")) {
    row.nextElementSibling.remove();
    link.setAttribute("aria-expanded", "false");
    return;
  }
  try {
    const page = await load(link.href);
    const cell = document.createElement("td");
    cell.colSpan = row.cells.length;
    cell.append(...page.querySelector("[data-detail]").childNodes);
    const below = document.createElement("tr");
    below.className = "opened";
    below.append(cell);
    row.after(below);
    link.setAttribute("aria-expanded", "true");
  } catch {
    location.href = link.href;
  }
}

async function load(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html", "X-Leversync-Poll": "1" } });
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// follow takes over what has changed on the server, while the page can be seen.
async function follow() {
  for (;;) {
    const every = Number(document.body.dataset.every);
    if (!every) return;
    await new Promise((resolve) => setTimeout(resolve, every * 1000));
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    try {
      const fresh = await load(location.href);
      document.body.dataset.every = fresh.body.dataset.every || "";
      for (const part of document.querySelectorAll("[data-live]")) {
        const is = fresh.getElementById(part.id);
        if (is) morph(part, is);
      }
    } catch {
      // Away for a moment: the next look will tell.
    }
  }
}

// morph makes one element like another by changing no more than it must: the focus, what is selected and what is open stay.
function morph(was, is) {
  if (was.isEqualNode(is)) return;
  if (was.nodeName !== is.nodeName || was.nodeType !== Node.ELEMENT_NODE || was.id !== is.id) return was.replaceWith(is.cloneNode(true));
  for (const { name } of [...was.attributes]) if (!is.hasAttribute(name) && name !== "open" && name !== "aria-expanded") was.removeAttribute(name);
  for (const { name, value } of is.attributes) if (was.getAttribute(name) !== value && name !== "aria-expanded") was.setAttribute(name, value);
  const kept = [...was.childNodes].filter((node) => !(node.classList && node.classList.contains("opened")));
  const wanted = [...is.childNodes];
  wanted.forEach((node, i) => {
    if (!kept[i]) was.append(node.cloneNode(true));
    else if (kept[i].nodeType === Node.ELEMENT_NODE && node.nodeType === Node.ELEMENT_NODE) morph(kept[i], node);
    else if (!kept[i].isEqualNode(node)) kept[i].replaceWith(node.cloneNode(true));
  });
  for (const node of kept.slice(wanted.length)) node.remove();
}

follow();
