// The choice on the front page: which answer a reader prefers, and what this choice costs a model with the rewards shown.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("choice");
  if (!root) return;
  const put = (name, text) => root.querySelectorAll(`[data-show="${name}"]`).forEach((place) => { place.textContent = text; });
  const signed = (x) => (x < 0 ? "−" : "") + Math.abs(x).toFixed(1);
  const loss = (margin) => Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin))); // −log σ(margin), without overflow
  const x = (margin) => 320 + 50 * margin, y = (value) => 170 - 25 * value; // margins −6 to 6, losses 0 to 6.2
  let chosen = null;

  const curve = [];
  for (let margin = -6; margin <= 6; margin += 0.1) curve.push(`${x(margin).toFixed(1)} ${y(loss(margin)).toFixed(1)}`);
  root.querySelector("[data-curve]").setAttribute("d", `M${curve.join("L")}`);

  function show() {
    const reward = { a: 0, b: 0 };
    for (const slider of root.querySelectorAll("[data-reward]")) {
      reward[slider.dataset.reward] = Number(slider.value);
      put(slider.dataset.reward, signed(Number(slider.value)));
    }
    const margin = chosen === "a" ? reward.a - reward.b : reward.b - reward.a;
    const probability = Math.exp(-loss(margin)), digits = probability < 0.9 ? probability.toPrecision(4) : probability.toFixed(6);
    const preferred = reward.a > reward.b ? "a" : "b";
    if (reward.a === reward.b) put("expected", `It prefers neither answer, and you chose answer ${chosen}.`);
    else put("expected", `It prefers answer ${preferred}, ${preferred === chosen ? "and so do you" : `but you chose answer ${chosen}`}.`);
    put("probability", digits);
    put("same", digits);
    put("loss", (-Math.log(digits)).toPrecision(3)); // of the digits that are shown, so that the equation is right
    const point = root.querySelector("[data-point]"), line = root.querySelector("[data-line]");
    point.setAttribute("cx", x(margin));
    point.setAttribute("cy", y(loss(margin)));
    line.setAttribute("x1", x(margin));
    line.setAttribute("x2", x(margin));
    line.setAttribute("y1", y(loss(margin)));
  }

  let timer = 0;
  function say() { // to a screen reader: the whole sentence, once a slider has stopped
    clearTimeout(timer);
    const sentence = root.querySelector("[data-sentence]").textContent.replace(/\s+/g, " ");
    timer = setTimeout(() => { root.querySelector("[data-say]").textContent = sentence; }, 400);
  }

  for (const answer of root.querySelectorAll(".answer")) answer.addEventListener("click", () => {
    chosen = answer.dataset.answer;
    for (const other of root.querySelectorAll(".answer")) other.setAttribute("aria-pressed", String(other === answer));
    root.querySelector(".ask").hidden = true;
    const told = root.querySelector(".told"), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    told.hidden = false;
    show();
    say();
    told.scrollIntoView({ block: "nearest", behavior: still ? "instant" : "smooth" }); // on a phone it is below the screen
  });
  for (const slider of root.querySelectorAll("[data-reward]")) slider.addEventListener("input", () => { show(); say(); });
});
