// Everything works without this script. It spares a second click, and follows the first sync without loading the page anew.
"use strict";

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    const button = form.querySelector("button");
    if (button.getAttribute("aria-disabled") === "true") event.preventDefault();
    button.setAttribute("aria-disabled", "true");
  });
}
// A page that the back button brings back is as it was left.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
});

const done = document.querySelector("[data-done]");
if (done) {
  follow();
  tellOpener(done.dataset.tokenPath);
}

// follow takes over what has changed on the server, while the page can be seen. It leaves the rest of the page alone, so that
// whatever has the focus keeps it.
async function follow() {
  while (document.querySelector("[data-live]")) {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    if (document.hidden) continue;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) continue;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const over = !fresh.querySelector("[data-live]");
      for (const part of over ? ["h1", "#summary", "#progress"] : ["#summary", "#progress .meter", "#progress table"]) {
        const was = document.querySelector(part);
        const is = fresh.querySelector(part);
        if (!was || !is || was.outerHTML === is.outerHTML) continue;
        if (part === "#summary") was.replaceChildren(...is.childNodes); // the same element: it is announced
        else was.replaceWith(is);
      }
    } catch {
      // Away for a moment: the next look will tell.
    }
  }
}

// tellOpener hands a temporary token to the window that opened this one. Without an API key it is worth nothing.
async function tellOpener(path) {
  if (!window.opener) return;
  try {
    const answer = await fetch(path, { method: "POST" });
    if (!answer.ok) return;
    const { temporary_token } = await answer.json();
    window.opener.postMessage({ type: "leversync.linked", temporary_token }, "*");
  } catch {
    // Whoever opened it reads the connector's token from the API instead.
  }
}
