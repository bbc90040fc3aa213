/** Lists of names and values. */
import { element, keyed, setText } from "./dom.js";

/** A <dl> of names and values; `changes` says which values are taken anew when their row is there already. */
export function definitions(target, pairs, changes = () => true) {
  keyed(
    target,
    pairs,
    ([name]) => name,
    ([name]) => {
      const value = element("dd");
      const node = element("div", {}, element("dt", {}, name), value);
      return {
        node,
        update: ([, content]) => {
          if (value.firstChild !== null && !changes(content)) return;
          if (content instanceof Node) {
            if (value.firstChild !== content) value.replaceChildren(content);
          } else setText(value, content);
        },
      };
    },
  );
}
