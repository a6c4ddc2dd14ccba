// What can go wrong, in sentences.

import { hide } from "./hiding.js";

const AGAIN = "Try it again in a moment.";
const SMALLER = "Make the image smaller, or cut it in parts.";
const TELL = "Try it again. If it happens again, tell whoever runs the service the ID of this request.";

const ADVICE = {
  "not-an-image": "Choose a file that is a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC image.",
  "image-damaged": "Get the file from where it came from again; this copy is incomplete.",
  "unsupported-format": "Save the image as a JPEG or PNG, and send that.",
  unauthorized: "Enter an API key below. Whoever runs the service hands them out.",
  forbidden: "Enter a key that may segment images.",
  "body-too-large": "Save the image as a JPEG, or smaller.",
  "too-many-pixels": SMALLER,
  "too-costly": SMALLER,
  "tiling-impossible": "Choose the tiling “auto”, which suits every image.",
  "upload-timeout": "Try it again on a faster connection, or with a smaller file.",
  "queue-full": "Many images are waiting. Try it again when some are done.",
  "rate-limited": "Wait a little before the next image.",
  "not-ready": "The service is starting. Try it again in a moment.",
  draining: "The service is being restarted. Try it again in a moment.",
  "too-many-connections": AGAIN,
  "out-of-memory": AGAIN,
  "decoder-unavailable": AGAIN,
  "device-failed": TELL,
  internal: TELL,
  deadline: "Try it again later, or with a smaller image.",
};

/** An answer of the service that is no result. */
export class ServiceProblem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {object} about
   * @param {string} [about.slug] of its kind; see /problems/{slug}
   * @param {number} [about.status] of HTTP, 0 for no answer
   * @param {number} [about.waitS] seconds after which it may be asked again
   * @param {string} [about.requestId] finds the request in the log
   */
  constructor(title, detail, { slug = "", status = 0, waitS = 0, requestId = "" } = {}) {
    super(title);
    Object.assign(this, { title, detail: sentence(detail), slug, status, waitS, requestId });
  }

  /** Of a finished XMLHttpRequest whose response is a Blob. */
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
      // Not the service speaks, but something on the way to it.
      return new ServiceProblem("An answer that is not understood", `The status of the answer is ${status}`, about);
    }
  }

  static unreachable() {
    return new ServiceProblem("No answer", "The service cannot be reached, or the connection broke off");
  }

  /** What to do, in a sentence. */
  get advice() {
    return ADVICE[this.slug] ?? (this.status === 0 ? "See whether the service runs, then try it again." : TELL);
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
   * @param {() => void} retry does again what failed
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
