/** Copying to the clipboard, where a browser allows it and where it does not. */
import { element } from "./dom.js";

/** Copies a text. The clipboard's API is only there over TLS and on localhost; elsewhere a selection is copied. */
export async function copy(text, button) {
  const word = button.textContent;
  const say = (result) => {
    button.textContent = result;
    setTimeout(() => {
      button.textContent = word;
    }, 1500);
  };
  try {
    if (navigator.clipboard !== undefined) await navigator.clipboard.writeText(text);
    else {
      const area = element("textarea", { class: "unseen", "aria-hidden": "true" });
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    say("Copied");
  } catch {
    say("Not allowed");
  }
}
