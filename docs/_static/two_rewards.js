// The two sliders of lesson 1: a bar as long as the probability that answer a is preferred.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("two-rewards");
  if (!root) return;
  const reward = (name) => Number(root.querySelector(`[data-reward="${name}"]`).value);
  const signed = (x) => x.toFixed(1).replace("-", "−");

  function show() {
    const tenths = Math.round(10 * reward("a")) - Math.round(10 * reward("b")); // 0.3 − 0.1 is not 0.2 in binary
    const probability = 1 / (1 + Math.exp(-tenths / 10));
    const said = { a: signed(reward("a")), b: signed(reward("b")), margin: signed(tenths / 10), probability: probability.toFixed(3) };
    for (const [name, text] of Object.entries(said)) root.querySelector(`[data-show="${name}"]`).textContent = text;
    root.querySelector(".bar div").style.width = `${100 * probability}%`;
  }
  root.addEventListener("input", show);
  show();
});
