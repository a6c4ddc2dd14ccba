// Connects the parts of the page: takes an image, sends it to the service, shows the result.

import { curlCommand, stem } from "./command.js";
import { copy, save } from "./downloads.js";
import { hide } from "./hiding.js";
import { takeImages } from "./intake.js";
import { Legend, swatch } from "./legend.js";
import { Mask } from "./mask.js";
import { decode, shownSize } from "./photograph.js";
import { ProblemNotice, ServiceProblem } from "./problem.js";
import { Progress } from "./progress.js";
import { knownClasses, segment, segmentAddress } from "./service.js";
import { duration, showTiming } from "./timing.js";
import { Viewer } from "./viewer.js";

const byId = (id) => document.getElementById(id);
const views = byId("views");
const workspace = byId("workspace");

/** The latest image and its results; `retry` repeats the last request. */
const now = { image: null, answer: null, png: null, blob: null, work: null, retry: () => {} };

const notice = new ProblemNotice(byId("problem"), () => now.retry());
const progress = new Progress({ panel: byId("progress"), bar: byId("progress-bar"), elapsed: byId("elapsed"), say });
const viewer = new Viewer(
  { stage: byId("stage"), stack: byId("stack"), photo: byId("photo"), mask: byId("mask"), crosshair: byId("crosshair") },
  nameClass,
  (scale) => (byId("zoom-level").textContent = `${scale < 0.1 ? (100 * scale).toFixed(1) : Math.round(100 * scale)} %`),
);
const legend = new Legend(
  byId("legend"),
  byId("toggle-all"),
  (indices) => viewer.setVisible(indices),
  (index) => viewer.seek(index),
);

/** Sends a request and passes its reply to `use`; aborts the previous request. */
async function ask(image, query, retry, use) {
  now.work?.abort();
  const work = (now.work = new AbortController());
  const isLatest = () => work === now.work;
  now.retry = retry;
  begin(image);
  try {
    const reply = await segment(image, query, byId("key").value, work.signal, (share) => isLatest() && progress.sent(share));
    await use(reply, work.signal);
  } catch (error) {
    if (isLatest()) fail(error);
  } finally {
    if (isLatest()) progress.stop();
  }
}

function begin(image) {
  progress.start(image.name);
  byId("state").hidden = false;
  if (document.activeElement === byId("resume")) byId("cancel").focus();
  notice.hide();
  hide(byId("resume"));
}

/** Segments an image and shows it. */
function open(image) {
  Object.assign(now, { image, answer: null, png: null, blob: null });
  document.body.classList.add("has-image");
  workspace.classList.add("is-bare");
  workspace.hidden = byId("shell").hidden = false;
  showCommand();
  byId("note").hidden = true;
  viewer.clear();
  const picture = decode(image);
  picture.then((bitmap) => now.image === image && !now.answer && viewer.showPhotograph(bitmap));
  return ask(image, pageQuery(), () => open(image), (reply, signal) => show(reply, picture, signal));
}

async function show({ blob, stages, totalMs }, picture, signal) {
  say("Drawing …");
  const answer = JSON.parse(await blob.text());
  const png = Uint8Array.from(atob(answer.mask), (character) => character.charCodeAt(0));
  const [mask, bitmap] = [await Mask.read(png), await picture];
  signal.throwIfAborted();
  Object.assign(now, { answer, blob, png: new Blob([png], { type: "image/png" }) });
  hide(byId("access"));
  workspace.classList.remove("is-bare");
  legend.show(answer.classes);
  viewer.showMask(bitmap, mask, answer.classes, legend.visible);
  tellNote(answer, bitmap);
  bitmap?.close();
  showTiming(byId("timing"), stages);
  byId("total").textContent = duration(totalMs);
  showCommand(); // whether it needs a key is known now
  say(`${summary(answer)} ${answer.width} × ${answer.height} pixels in ${duration(totalMs)}.`);
  showKnown();
}

function fail(error) {
  if (error.name === "AbortError") return tellCancelled();
  const problem =
    error instanceof ServiceProblem ? error : new ServiceProblem("The result cannot be shown", error.message);
  hide(byId("state"));
  if (!now.answer) workspace.hidden = !viewer.hasPhotograph;
  byId("shell").hidden = workspace.hidden && problem.slug !== "tiling-impossible";
  notice.show(problem);
  if (problem.asksForKey) askForKey();
}

function tellCancelled() {
  say("Cancelled; the service stops working on the image.");
  byId("resume").hidden = false;
  if (document.activeElement === byId("cancel")) byId("resume").focus();
}

function askForKey() {
  byId("access").hidden = false;
  byId("key").focus();
}

function say(text) {
  byId("status").textContent = text;
}

function summary({ classes }) {
  const ordered = classes.toSorted((one, other) => other.pixels - one.pixels);
  const things = ordered.map(({ name }) => name).filter((name) => name !== "background");
  if (!things.length) return "Nothing found that the network knows.";
  return `Found ${new Intl.ListFormat("en").format(things)}.`;
}

function tellNote({ width, height }, bitmap) {
  const notes = [];
  const size = shownSize(width, height);
  if (size.width < width) {
    notes.push(`Shown at ${size.width} × ${size.height} pixels, to spare the browser; downloads have the full size.`);
  }
  if (!bitmap) notes.push("This browser cannot show photographs of this format; the mask is complete.");
  byId("note").textContent = notes.join(" ");
  byId("note").hidden = !notes.length;
}

function nameClass(index, pixel) {
  const found = now.answer?.classes.find((known) => known.index === index);
  legend.mark(found ? index : null);
  const name = byId("under-name");
  byId("under-place").textContent = pixel ? `column ${pixel.x}, row ${pixel.y}` : "";
  const text = found?.name ?? "Point at the picture";
  if (name.textContent === text) return; // or screen readers would repeat it
  name.replaceChildren(...(found ? [swatch(found.color)] : []), text);
}

function setView() {
  const view = views.querySelector("input:checked").value;
  byId("opacity").disabled = view !== "overlay";
  viewer.setView(view, Number(byId("opacity").value));
  if (now.image) showCommand();
}

function tiling() {
  const { value } = byId("tiling");
  return value === "auto" ? {} : { tiling: value };
}

/** A query whose response has both the classes and the mask. */
function pageQuery() {
  return { format: "json", mask: "png", ...tiling() };
}

function overlayQuery() {
  return { format: "overlay", alpha: byId("opacity").value, ...tiling() };
}

function showCommand() {
  const answer = byId("answer").value;
  const query = { png: { format: "png", ...tiling() }, json: pageQuery(), overlay: overlayQuery() }[answer];
  const needsKey = byId("key").value !== "";
  byId("command").textContent = curlCommand(now.image.name, segmentAddress(query), answer, needsKey);
}

function tellCopied() {
  byId("copy").textContent = "Copied";
  byId("copied").textContent = "The command is on the clipboard.";
  setTimeout(() => {
    byId("copy").textContent = "Copy";
    byId("copied").textContent = "";
  }, 2000);
}

async function saveOverlay() {
  const name = `${stem(now.image.name)}-overlay.png`;
  // If the browser cannot show the whole image, the service makes the overlay.
  if (viewer.hasPhotograph && viewer.isWhole) return save(await viewer.overlay(), name);
  const said = byId("status").textContent;
  await ask(now.image, overlayQuery(), saveOverlay, ({ blob }) => {
    save(blob, name);
    say(said);
  });
}

let isKnown = false;

async function showKnown() {
  if (isKnown) return;
  const classes = await knownClasses(byId("key").value).catch(() => null);
  if (!classes) return;
  isKnown = true;
  byId("known-title").textContent = `The ${classes.length} classes that the network knows`;
  byId("known-classes").replaceChildren(
    ...classes.map(({ name, color }) => {
      const entry = document.createElement("li");
      entry.append(swatch(color), name);
      return entry;
    }),
  );
  byId("known").hidden = false;
}

takeImages({ inputs: [byId("file"), byId("camera")], samples: byId("samples"), veil: byId("veil") }, open, fail);
byId("cancel").addEventListener("click", () => now.work?.abort());
byId("again").addEventListener("click", () => open(now.image));
byId("resume").addEventListener("click", () => now.retry());
byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  now.retry();
});
byId("zoom").addEventListener("click", ({ target }) => {
  const { zoom } = target.dataset;
  if (zoom === "fit") viewer.fit();
  else if (zoom) viewer.zoomBy(zoom === "in" ? 1.5 : 1 / 1.5);
});
views.addEventListener("change", setView);
byId("opacity").addEventListener("input", setView);
byId("answer").addEventListener("change", showCommand);
byId("tiling").addEventListener("change", showCommand);
byId("copy").addEventListener("click", async () => {
  await copy(byId("command").textContent);
  tellCopied();
});
byId("save-mask").addEventListener("click", () => save(now.png, `${stem(now.image.name)}-mask.png`));
byId("save-json").addEventListener("click", () => save(now.blob, `${stem(now.image.name)}.json`));
byId("save-overlay").addEventListener("click", saveOverlay);
setView();
showKnown();
