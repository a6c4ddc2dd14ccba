// Shows the time spent on each stage.

const NAMES = {
  queue: "Waiting",
  decode: "Decoding",
  preprocess: "Preparing",
  forward: "Network",
  upsample: "Upsampling",
  encode: "Encoding",
  transfer: "Transfer",
};

/**
 * Shows the stages of a request.
 *
 * @param {HTMLTableSectionElement} body
 * @param {{name: string, ms: number}[]} stages
 */
export function showTiming(body, stages) {
  const most = Math.max(...stages.map(({ ms }) => ms));
  body.replaceChildren(...stages.map(({ name, ms }) => row(NAMES[name] ?? name, ms, most)));
}

/** A duration with its unit. */
export function duration(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

function row(name, ms, most) {
  const line = document.createElement("tr");
  const head = Object.assign(document.createElement("th"), { scope: "row", textContent: name });
  const bar = Object.assign(document.createElement("span"), { className: "bar" });
  bar.style.width = `${(100 * ms) / most}%`;
  const [share, time] = [document.createElement("td"), document.createElement("td")];
  share.append(bar);
  time.textContent = duration(ms);
  time.className = "number";
  line.append(head, share, time);
  return line;
}
