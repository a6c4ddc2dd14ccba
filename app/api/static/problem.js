// Describes problems, and what to do about them.

import { hide } from "./hiding.js";

const AGAIN = "Try again in a moment.";
const SMALLER = "Make the image smaller, or cut it into parts.";
const TELL = "Try again. If the problem persists, tell the service’s operator the ID of this request.";

const ADVICE = {
  "not-an-image": "Choose a file that is a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC image.",
  "image-damaged": "Get the file from its source again; this copy is incomplete.",
  "unsupported-format": "Save the image as a JPEG or PNG, and send that.",
  unauthorized: "Enter an API key below. The service’s operator issues keys.",
  forbidden: "Enter a key with permission to segment images.",
  "body-too-large": "Save the image as a JPEG, or make it smaller.",
  "too-many-pixels": SMALLER,
  "too-costly": SMALLER,
  "tiling-impossible": "Choose the tiling “auto”, which suits every image.",
  "upload-timeout": "Try again on a faster connection, or with a smaller file.",
  "queue-full": "Many images are waiting. Try again when some are done.",
  "rate-limited": "Wait a little before the next image.",
  "not-ready": "The service is starting. Try again in a moment.",
  draining: "The service is being restarted. Try again in a moment.",
  "too-many-connections": AGAIN,
  "out-of-memory": AGAIN,
  "decoder-unavailable": AGAIN,
  "device-failed": TELL,
  internal: TELL,
  deadline: "Try again later, or with a smaller image.",
};

/** An error response of the service, or no response. */
export class ServiceProblem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {object} about
   * @param {string} [about.slug] slug of the kind of problem; see /problems/{slug}
   * @param {number} [about.status] HTTP status; 0 for no response
   * @param {number} [about.waitS] seconds after which to retry
   * @param {string} [about.requestId] ID of the request in the log
   */
  constructor(title, detail, { slug = "", status = 0, waitS = 0, requestId = "" } = {}) {
    super(title);
    Object.assign(this, { title, detail: sentence(detail), slug, status, waitS, requestId });
  }

  /** Makes a problem from a finished XMLHttpRequest whose response is a Blob. */
  static async of(request) {
    const { status } = request;
    const about = {
      status,
      waitS: Number(request.getResponseHeader("Retry-After")) || 0,
      requestId: request.getResponseHeader("X-Request-ID") ?? "",
    };
    try {
      const { type, title, detail } = JSON.parse(await request.response.text());
      return new ServiceProblem(title, detail, { ...about, slug: type.split("/").pop() });
    } catch {
      // The response is not the service's, but e.g. a proxy's.
      return new ServiceProblem("Unexpected response", `The status of the response is ${status}`, about);
    }
  }

  static unreachable() {
    return new ServiceProblem("No response", "The service cannot be reached, or the connection was lost");
  }

  /** What to do, in one sentence or two. */
  get advice() {
    return ADVICE[this.slug] ?? (this.status === 0 ? "Check that the service is running, then try again." : TELL);
  }

  /** Whether the same request may succeed later. */
  get mayPass() {
    return [0, 408, 429].includes(this.status) || this.status >= 500;
  }

  /** Whether a key, or another key, would help. */
  get asksForKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** Shows one problem at a time. */
export class ProblemNotice {
  #element;
  #retry;
  #timer = 0;

  /**
   * @param {HTMLElement} element
   * @param {() => void} retry repeats the failed request
   */
  constructor(element, retry) {
    this.#element = element;
    this.#retry = retry;
  }

  show(problem) {
    this.hide();
    const actions = make("div", { className: "problem-actions" });
    if (problem.mayPass) actions.append(this.#retryButton(problem.waitS));
    actions.append(...origin(problem));
    this.#element.replaceChildren(
      make("h2", { textContent: problem.title }),
      make("p", { textContent: problem.detail }),
      make("p", { textContent: problem.advice }),
      actions,
    );
    this.#element.hidden = false;
  }

  hide() {
    clearInterval(this.#timer);
    hide(this.#element);
  }

  #retryButton(waitS) {
    const button = make("button", { type: "button", className: "button", textContent: "Try again" });
    button.addEventListener("click", this.#retry);
    if (waitS) this.#countDown(button, performance.now() + waitS * 1000);
    return button;
  }

  #countDown(button, until) {
    const tell = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
      if (left <= 0) clearInterval(this.#timer);
    };
    this.#timer = setInterval(tell, 250);
    tell();
  }
}

function origin({ slug, requestId }) {
  const parts = [];
  if (slug) parts.push(make("a", { href: `problems/${slug}`, textContent: "About this kind of problem" }));
  if (requestId) parts.push(make("span", { className: "hint", textContent: `Request ${requestId}` }));
  return parts;
}

function sentence(text) {
  const stop = /[.!?]$/.test(text) ? "" : ".";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${stop}`;
}

function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
