// One picture that follows the controls. Requests are made one at a time, and only the newest is made next.
const id = (name) => document.getElementById(name);
const box = document.querySelector(".explorer");
const { classes, gallery } = JSON.parse(box.dataset.settings);
const [picture, said, seed, label, psi, layers, way] =
  ["picture", "said", "seed", "label", "psi", "layers", "way"].map(id);
const moves = [...document.querySelectorAll(".move")];
const kept = { a: null, b: null };
let between = false; // whether the picture is on the way from A to B
let firstSeed = 1; // of the gallery

// What the controls say.
const number = (control) => (control === null ? null : Number(control.value));
function point() {
  return { seed: seed.value, label: label?.value, moves: moves.map(number), layers: layers?.value };
}

function queryOf(one, prefix = "") {
  const query = new URLSearchParams({ [prefix + "seed"]: one.seed });
  if (classes) query.set(prefix + "label", one.label);
  if (one.moves.some((move) => move !== 0)) {
    query.set(prefix + "moves", one.moves.join(","));
    if (layers) query.set(prefix + "layers", one.layers);
  }
  return query;
}

function query(one = point()) {
  const asked = between ? queryOf(kept.a) : queryOf(one);
  if (between) for (const [name, value] of queryOf(kept.b, "to_")) asked.set(name, value);
  if (between) asked.set("t", way.value);
  if (psi && number(psi) !== 1) asked.set("psi", psi.value);
  return asked.toString();
}

// What the server makes of it.
let wanted = null;
let waiting = []; // pictures of the gallery
let busy = false;
async function work() {
  if (busy) return;
  busy = true;
  while (wanted !== null || waiting.length) {
    const job = wanted ?? waiting.shift();
    if (job === wanted) wanted = null;
    try {
      const answer = await fetch("picture.png?" + job.query);
      if (!answer.ok) throw new Error((await answer.text()).trim());
      job.show(URL.createObjectURL(await answer.blob()));
      if (!job.quiet) say(job.text);
    } catch (error) {
      say(error instanceof TypeError ? "gan-jax explore does not answer: has it ended?" : error.message, true);
    }
  }
  busy = false;
}

function say(text, bad = false) {
  said.textContent = text;
  said.classList.toggle("bad", bad);
}

function put(image, url) {
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.src = url;
}

function described() {
  if (between) return `${Math.round(100 * number(way))} % of the way from A to B`;
  const moved = moves.filter((move) => number(move) !== 0).length;
  const name = label ? `, ${label.selectedOptions[0].textContent}` : "";
  return `seed ${seed.value}${name}${moved ? `, moved along ${moved}` : ""}`;
}

function show() {
  for (const control of document.querySelectorAll(".slider input")) {
    control.nextElementSibling.textContent =
      control === way ? (way.disabled ? "" : `${Math.round(100 * number(way))} %`) : Number(control.value).toFixed(1 + (control === psi));
  }
  for (const control of document.querySelectorAll(".settings .move")) control.classList.toggle("between", between);
  const asked = query();
  id("save").href = `picture.png?${asked}&save=1`;
  const text = described();
  wanted = { query: asked, text, show: (url) => { put(picture, url); picture.alt = text; picture.dataset.query = asked; } };
  work();
}

function showPoint() { between = false; show(); }

// Kept pictures, and the way between them.
for (const name of ["a", "b"]) {
  const button = id("kept-" + name);
  id("keep-" + name).addEventListener("click", () => {
    if (between) return say("Keep a picture of a seed: this one is between A and B.", true);
    kept[name] = point();
    button.hidden = false;
    waiting.unshift({ query: query(), quiet: true, show: (url) => put(button.querySelector("img"), url) });
    way.disabled = !(kept.a && kept.b);
    show();
  });
  button.addEventListener("click", () => {
    const one = kept[name];
    seed.value = one.seed;
    if (label) label.value = one.label;
    if (layers) layers.value = one.layers;
    moves.forEach((move, at) => { move.value = one.moves[at]; });
    showPoint();
  });
}
way.addEventListener("input", () => { between = true; show(); });

// A row of other seeds.
function showGallery() {
  waiting = waiting.filter((job) => !job.gallery);
  const wall = id("gallery");
  [...wall.querySelectorAll("img")].forEach((image) => URL.revokeObjectURL(image.src));
  wall.replaceChildren();
  for (let at = 0; at < gallery; at++) {
    const one = { ...point(), seed: String(firstSeed + at), moves: [] };
    const button = document.createElement("button");
    const image = document.createElement("img");
    button.type = "button";
    button.title = image.alt = `seed ${one.seed}`;
    button.append(image);
    button.addEventListener("click", () => { seed.value = one.seed; showPoint(); });
    wall.append(button);
    const asked = queryOf(one);
    if (psi && number(psi) !== 1) asked.set("psi", psi.value);
    waiting.push({ query: asked.toString(), quiet: true, gallery: true, show: (url) => put(image, url) });
  }
  work();
}

id("random").addEventListener("click", () => {
  seed.value = crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;
  showPoint();
});
id("reset").addEventListener("click", () => {
  for (const move of moves) move.value = 0;
  if (psi) psi.value = 1;
  showPoint();
});
id("more").addEventListener("click", () => { firstSeed += gallery; showGallery(); });
for (const control of [seed, label, layers, ...moves]) control?.addEventListener("input", showPoint);
psi?.addEventListener("input", show);
for (const control of [label, psi]) control?.addEventListener("change", showGallery);
show();
showGallery();
