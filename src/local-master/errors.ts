import type { FastifyInstance } from "fastify";

/**
 * Answers for what no route took, and for what broke in one: plain words of this master, nothing of the web framework.
 *
 * @param largestBody bytes that a call may have.
 */
export function ownErrors(app: FastifyInstance, largestBody: number): void {
  const methods = new Map<string, string[]>();
  app.addHook("onRoute", ({ url, method }) => {
    methods.set(url, [...(methods.get(url) ?? []), ...(Array.isArray(method) ? method : [method])]);
  });
  app.get("/help", (_request, reply) => {
    const lines = [...methods].map(
      ([path, each]) =>
        `${[...new Set(each)]
          .filter((one) => one !== "HEAD")
          .join(", ")
          .padEnd(8)} ${path}`,
    );
    return reply.type("text/plain").send(`${[...new Set(lines)].sort().join("\n")}\n`);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0]?.replace(/(.)\/$/, "$1") ?? "";
    const allowed = methods.get(path);
    if (allowed === undefined)
      return reply.code(404).type("text/plain").send(`There is no ${path} here: /help lists what there is\n`);
    return reply
      .code(405)
      .header("Allow", allowed.join(", "))
      .type("text/plain")
      .send(`${path} takes ${allowed.join(" and ")}\n`);
  });
  app.setErrorHandler((error: { statusCode?: number; code?: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    const words =
      status === 413
        ? `The body is larger than ${largestBody / 1024 / 1024} MB`
        : status < 500
          ? "The request cannot be read"
          : "Something broke in this master: its log says what";
    return reply.code(status).type("text/plain").send(`${words}\n`);
  });
}
