/** What is in sight, or nearly: only that is drawn with each look, however many rows there are. */

const redraws = new WeakMap();
const inSight = new WeakSet();
let observer;

function seen(entries) {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) inSight.add(target);
    else inSight.delete(target);
    if (isIntersecting) redraws.get(target)();
  }
}

/** Calls `redraw` whenever `node` comes in sight. The function that it gives calls it now, if the node is in sight now. */
export function whenInSight(node, redraw) {
  redraws.set(node, redraw);
  // Pixels around the window, so that what is scrolled to is there already.
  observer ??= new IntersectionObserver(seen, { rootMargin: "400px" });
  observer.observe(node);
  return () => {
    if (inSight.has(node)) redraw();
  };
}
