/** Hides an element; if it has the keyboard focus, that moves to the main content instead of the page's beginning. */
export function hide(element) {
  if (element.contains(document.activeElement)) document.getElementById("main").focus({ preventScroll: true });
  element.hidden = true;
}
