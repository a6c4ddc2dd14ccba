/** Hides an element; the keyboard's focus, if it is in there, goes to the page's content instead of its beginning. */
export function hide(element) {
  if (element.contains(document.activeElement)) document.getElementById("main").focus({ preventScroll: true });
  element.hidden = true;
}
