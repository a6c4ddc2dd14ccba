// Takes images that are chosen, pasted, dropped or picked from the samples.

/**
 * @param {{inputs: HTMLInputElement[], samples: HTMLElement, veil: HTMLElement}} parts
 * @param {(image: File) => void} onImage called with each image
 * @param {(error: Error) => void} onFailure called if a sample could not be fetched
 */
export function takeImages({ inputs, samples, veil }, onImage, onFailure) {
  for (const input of inputs) takeChosen(input, onImage);
  takePasted(onImage);
  takeDropped(veil, onImage);
  samples.addEventListener("click", ({ target }) => {
    const name = target.closest("[data-file]")?.dataset.file;
    if (name) fetchSample(name).then(onImage, onFailure);
  });
}

function takeChosen(input, onImage) {
  input.addEventListener("change", () => {
    if (input.files[0]) onImage(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
}

function takePasted(onImage) {
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files[0]) onImage(clipboardData.files[0]);
  });
}

function takeDropped(veil, onImage) {
  const carriesFile = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    veil.hidden ||= relatedTarget === null;
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    veil.hidden = true;
    if (event.dataTransfer.files[0]) onImage(event.dataTransfer.files[0]);
  });
}

async function fetchSample(name) {
  const response = await fetch(`static/samples/${name}`);
  if (!response.ok) throw new Error(`The sample could not be fetched: status ${response.status}.`);
  const blob = await response.blob();
  return new File([blob], name, { type: blob.type });
}
