// Sends requests to the service. Addresses are relative, since the page may be under any path.

import { ServiceProblem } from "./problem.js";

/**
 * Sends an image to POST /segment.
 *
 * @param {File} image
 * @param {Record<string, string>} query parameters of the route
 * @param {string} key API key, or "" for none
 * @param {AbortSignal} signal aborts the request, which the service then cancels
 * @param {(share: number) => void} onUpload called with the share of the body that has been sent, 0..1
 * @returns {Promise<{blob: Blob, stages: {name: string, ms: number}[], totalMs: number}>} stages in order
 * @throws {ServiceProblem} the service responds with an error, or cannot be reached
 * @throws {DOMException} AbortError
 */
export function segment(image, query, key, signal, onUpload) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest(); // fetch does not report upload progress
    const started = performance.now();
    request.open("POST", segmentAddress(query));
    request.responseType = "blob";
    if (key) request.setRequestHeader("X-API-Key", key);
    request.upload.onprogress = ({ loaded, total }) => onUpload(total ? loaded / total : 1);
    request.upload.onload = () => onUpload(1);
    request.onload = async () => {
      if (request.status !== 200) return reject(await ServiceProblem.of(request));
      const totalMs = performance.now() - started;
      const stages = allStages(request.getResponseHeader("Server-Timing"), totalMs);
      resolve({ blob: request.response, stages, totalMs });
    };
    request.onerror = () => reject(ServiceProblem.unreachable());
    request.onabort = () => reject(new DOMException("The request was cancelled.", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    const body = new FormData();
    body.append("image", image);
    request.send(body);
  });
}

/** The absolute URL to which an image is posted. */
export function segmentAddress(query) {
  return new URL(`segment?${new URLSearchParams(query)}`, document.baseURI).href;
}

/** The network's classes, without void; null if a key is needed first. */
export async function knownClasses(key) {
  const response = await fetch("classes", { headers: key ? { "X-API-Key": key } : {} });
  if (!response.ok) return null;
  const { classes } = await response.json();
  return classes.filter(({ index }) => index !== 255);
}

/** The service's stages, and the rest of the time as the transfer. */
function allStages(header, totalMs) {
  const served = [...(header ?? "").matchAll(/([\w-]+);dur=([\d.]+)/g)].map(([, name, ms]) => ({ name, ms: +ms }));
  const servedMs = served.reduce((sum, { ms }) => sum + ms, 0);
  return [...served, { name: "transfer", ms: Math.max(0, totalMs - servedMs) }];
}
