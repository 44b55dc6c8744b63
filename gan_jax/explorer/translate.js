// A picture that is dropped, pasted or chosen, and what the server makes of it.
const id = (name) => document.getElementById(name);
const name = document.querySelector(".translation").dataset.name;
const [file, drop, said, direction, given, picture, save] =
  ["file", "drop", "said", "direction", "given", "picture", "save"].map(id);
let chosen = null; // the newest picture

function say(text, bad = false) {
  said.textContent = text;
  said.classList.toggle("bad", bad);
}

function put(image, blob) {
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
}

async function translate(one) {
  if (!one) return;
  chosen = one;
  const way = direction ? direction.value : "";
  say(`translating ${one.name} ...`);
  picture.removeAttribute("src");
  save.hidden = true;
  put(given, one);
  id("pair").hidden = false;
  try {
    const query = way ? `?direction=${way}` : "";
    const answer = await fetch("translated.png" + query, { method: "POST", body: one });
    if (chosen !== one || way !== (direction ? direction.value : "")) return; // another one by now
    if (!answer.ok) throw new Error((await answer.text()).trim());
    put(picture, await answer.blob());
    save.href = picture.src;
    save.download = `${name}_${way ? way + "_" : ""}${one.name.replace(/[.][^.]*$/, "")}.png`;
    save.hidden = false;
    say(one.name);
  } catch (error) {
    say(error instanceof TypeError ? "gan-jax explore does not answer: has it ended?" : error.message, true);
  }
}

file.addEventListener("change", () => translate(file.files[0]));
direction?.addEventListener("change", () => translate(chosen));
addEventListener("paste", (event) => translate([...event.clipboardData.files][0]));
addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
addEventListener("dragleave", () => drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  translate(event.dataTransfer.files[0]);
});
