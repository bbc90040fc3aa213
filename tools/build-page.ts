/**
 * Builds the node's page (ui/) as it is shipped: one script and one style sheet for what the first view shows, and a script
 * for each view that is fetched when somebody opens it. In a checkout the page is served as it is written.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const ui = resolve(import.meta.dirname, "../ui");

/** The page's HTML without what only its authors read: comments and indentation. One style sheet stands for all. */
function shippedHtml(html: string): string {
  let isFirst = true;
  return html
    .replaceAll(/<!--.*?-->/gs, "")
    .replaceAll(/^ *<link rel="stylesheet" href="[^"]+">\n/gm, () => {
      const link = isFirst ? '<link rel="stylesheet" href="ui/page.css">\n' : "";
      isFirst = false;
      return link;
    })
    .replaceAll(/\n\s*/g, "\n");
}

/** The style sheets in the order in which the page names them. */
const sheetsOf = (html: string): string[] =>
  [...html.matchAll(/<link rel="stylesheet" href="ui\/([^"]+)">/g)].map(([, name]) => name ?? "");

/** Writes the page into the folder `out`. */
export async function buildPage(out: string): Promise<void> {
  const html = readFileSync(join(ui, "index.html"), "utf8");
  mkdirSync(out, { recursive: true });
  const common = { bundle: true, minify: true, legalComments: "none", logLevel: "warning" } as const;
  await build({
    ...common,
    entryPoints: [join(ui, "page.js")],
    outdir: out,
    format: "esm",
    splitting: true,
    // Names with a hash: a page that is still open when its agent is replaced must not take parts of another one.
    chunkNames: "[name]-[hash]",
    target: "es2023",
  });
  await build({
    ...common,
    stdin: {
      contents: sheetsOf(html)
        .map((name) => `@import "./${name}";`)
        .join("\n"),
      resolveDir: ui,
      sourcefile: "sheets.css",
      loader: "css",
    },
    outfile: join(out, "page.css"),
  });
  writeFileSync(join(out, "index.html"), shippedHtml(html));
  writeFileSync(join(out, "icon.svg"), readFileSync(join(ui, "icon.svg")));
}
