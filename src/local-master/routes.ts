import type { Logger } from "../base/log.ts";
import { type Answer, text } from "../http/answer.ts";
import { Origins } from "../http/origins.ts";
import type { HttpRequest } from "../http/request.ts";
import {
  allowedMethod,
  type HttpHandler,
  knownHost,
  type Method,
  options,
  type Route,
  sameOrigin,
  serving,
} from "../http/site.ts";

type Handler = (request: HttpRequest) => Answer | Promise<Answer>;

/** The paths of the development master and what answers each; `/help` lists them. */
export class Routes {
  readonly #routes = new Map<string, Route>();
  readonly #largestBody: number;

  /** @param largestBody bytes that a call may have. */
  constructor(largestBody: number) {
    this.#largestBody = largestBody;
    this.get(["/help"], () => text(200, this.#help()));
  }

  get(paths: readonly string[], handle: Handler): void {
    this.#add("GET", paths, handle);
  }

  post(paths: readonly string[], handle: Handler): void {
    this.#add("POST", paths, handle);
  }

  /** All of them, behind what every request goes through. `ownNames`: see hostProblem. */
  handler(log: Logger, ownNames: readonly string[]): HttpHandler {
    const origins = new Origins([]);
    return serving({
      log,
      origins,
      routeOf: (path) => this.#routes.get(plain(path)) ?? this.#nothing(plain(path)),
      // A web page that its reader looks at must neither see this cluster nor change it.
      guards: [
        knownHost(() => ownNames),
        options(origins),
        sameOrigin(origins, ({ method }) => method !== "GET"),
        allowedMethod((methods, { path }) => `${plain(path)} takes ${methods.join(" and ")}\n`),
      ],
    });
  }

  #add(method: Method, paths: readonly string[], handle: Handler): void {
    for (const path of paths) this.#routes.set(path, { methods: [method], largestBody: this.#largestBody, handle });
  }

  #nothing(path: string): Route {
    const handle = (): Answer => text(404, `There is no ${path} here: /help lists what there is\n`);
    return { methods: "any", largestBody: this.#largestBody, handle };
  }

  #help(): string {
    const lines = [...this.#routes].map(([path, { methods }]) => `${[...methods].join(", ").padEnd(8)} ${path}`);
    return `${lines.sort().join("\n")}\n`;
  }
}

/** A path without the slash at its end. */
const plain = (path: string): string => path.replace(/(.)\/+$/, "$1");
