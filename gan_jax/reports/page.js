// Pictures as they grew: a slider over steps, for all of a row; each shows its newest of that step.
for (const box of document.querySelectorAll(".grown")) {
  const controls = box.querySelector(".controls");
  const range = controls.querySelector("input");
  const button = controls.querySelector("button");
  const steps = JSON.parse(box.dataset.steps);
  const show = () => {
    const step = steps[Number(range.value)];
    controls.querySelector("output").textContent = "step " + step.toLocaleString("en");
    for (const figure of box.querySelectorAll("figure")) {
      const images = [...figure.querySelectorAll("img[data-step]")];
      if (!images.length) continue;
      const due = images.filter((image) => Number(image.dataset.step) <= step);
      const shown = due.length ? due[due.length - 1] : images[0];
      for (const image of images) image.hidden = image !== shown;
      figure.querySelector(".step").textContent = "step " + Number(shown.dataset.step).toLocaleString("en");
    }
  };
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; button.textContent = "Play"; };
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(range.value) === steps.length - 1) range.value = 0;
    button.textContent = "Stop";
    timer = setInterval(() => {
      range.value = Number(range.value) + 1;
      show();
      if (Number(range.value) === steps.length - 1) stop();
    }, 400);
    show();
  });
  range.addEventListener("input", () => { stop(); show(); });
  controls.hidden = false;
  show();
}
