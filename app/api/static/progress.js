// Shows the current step and the elapsed time.

import { hide } from "./hiding.js";

const TICK_MS = 100;

export class Progress {
  #parts;
  #started = 0;
  #timer = 0;

  /** @param {{panel: HTMLElement, bar: HTMLProgressElement, elapsed: HTMLElement, say: (text: string) => void}} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  start(fileName) {
    clearInterval(this.#timer);
    this.#started = performance.now();
    this.#parts.say(`Sending ${fileName} …`);
    this.#parts.panel.hidden = false;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.sent(0);
    this.#tick();
  }

  /** Show the share of the image that has been sent, 0..1. */
  sent(share) {
    const { bar, say } = this.#parts;
    bar.value = share;
    if (share < 1) return;
    bar.removeAttribute("value"); // the time that the network will take is unknown
    say("Segmenting …");
  }

  stop() {
    clearInterval(this.#timer);
    hide(this.#parts.panel);
  }

  #tick() {
    this.#parts.elapsed.textContent = `${((performance.now() - this.#started) / 1000).toFixed(1)} s`;
  }
}
