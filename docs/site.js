// What the theme adds to a page after it has loaded, for people who use a keyboard or a screen reader: wide tables can be
// scrolled with keys, and the buttons of each block of code have a name of their own.
function complete() {
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    table.tabIndex = 0;
  }
  let number = 0;
  for (const buttons of document.querySelectorAll(".md-code__nav")) {
    number += 1;
    buttons.setAttribute("aria-label", `Code ${number}`);
  }
}

new MutationObserver(complete).observe(document.body, { childList: true, subtree: true });
complete();
