// Sends the chosen image to POST /segment and lays the mask over it.

const byId = (id) => document.getElementById(id);
const [form, drop, file, opacity, status, access, key, result, photo, mask, legend] = [
  "form", "drop", "file", "opacity", "status", "access", "key", "result", "photo", "mask", "legend",
].map(byId);
let latest;

function say(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("error", isError);
}

async function segment(image) {
  latest = image;
  say("Segmenting …");
  const started = performance.now();
  const body = new FormData();
  body.append("image", image);
  const headers = key.value ? { "X-API-Key": key.value } : {};
  try {
    const response = await fetch("segment?format=json&mask=png", { method: "POST", body, headers });
    const answer = await response.json();
    access.hidden &&= response.status !== 401;
    if (!response.ok) throw new Error(`${answer.title}: ${answer.detail}`);
    await show(image, answer);
    say(`${answer.width} × ${answer.height} pixels in ${Math.round(performance.now() - started)} ms`);
  } catch (error) {
    result.hidden = true;
    say(error.message, true);
  }
}

async function show(image, answer) {
  const maskBytes = Uint8Array.from(atob(answer.mask), (character) => character.charCodeAt(0));
  draw(mask, await createImageBitmap(new Blob([maskBytes], { type: "image/png" })), answer);
  // Formats that the service reads and the browser does not (TIFF, HEIC) leave the photograph empty.
  draw(photo, await createImageBitmap(image).catch(() => null), answer);
  legend.replaceChildren(...answer.classes.map(legendEntry));
  result.hidden = false;
}

function draw(canvas, bitmap, { width, height }) {
  Object.assign(canvas, { width, height });
  if (bitmap) canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
}

function legendEntry({ name, color, fraction }) {
  const entry = document.createElement("li");
  const swatch = document.createElement("i");
  swatch.style.background = `rgb(${color})`;
  entry.append(swatch, `${name} ${fraction < 0.001 ? "< 0.1" : (100 * fraction).toFixed(1)} %`);
  return entry;
}

function fade() {
  mask.style.opacity = opacity.value;
}

opacity.addEventListener("input", fade);
form.addEventListener("submit", (event) => event.preventDefault());
key.addEventListener("change", () => segment(latest));
file.addEventListener("change", () => file.files[0] && segment(file.files[0]));
document.addEventListener("paste", (event) => event.clipboardData.files[0] && segment(event.clipboardData.files[0]));
for (const [type, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", isOver);
    if (type === "drop" && event.dataTransfer.files[0]) segment(event.dataTransfer.files[0]);
  });
}
fade();
