// A formula within a sentence that is wider than its line, as on a telephone, scrolls instead of widening the page.
"use strict";

addEventListener("load", () => {
  if (!window.MathJax || !MathJax.startup) return;
  const mark = () => {
    for (const formula of document.querySelectorAll("span.math mjx-container")) {
      formula.classList.remove("too-wide");
      const line = formula.closest("p, li, td, dd, dt, h1, h2, h3") || formula.parentElement;
      formula.classList.toggle("too-wide", formula.getBoundingClientRect().right > line.getBoundingClientRect().right + 1);
    }
  };
  MathJax.startup.promise.then(mark);
  addEventListener("resize", mark);
});
