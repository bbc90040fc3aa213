/** Requests to the agent. They say that they are the page's: the agent does not log each of them. */

/** Milliseconds until a request is given up. */
const DEADLINE = 10_000;

/** The agent answers, but not with what was asked for. */
export class Refused extends Error {
  constructor(status, text = "") {
    super(text || `status ${status}`);
    this.status = status;
  }
}

export async function ask(path, leave) {
  const late = AbortSignal.timeout(DEADLINE);
  const signal = leave === undefined ? late : AbortSignal.any([leave, late]);
  const response = await fetch(path, { signal, cache: "no-store", headers: { "x-mesos-page": "1" } });
  if (response.ok) return response;
  throw new Refused(response.status, (await response.text()).trim().slice(0, 300));
}

export const askJson = async (path, leave) => await (await ask(path, leave)).json();

/** A page's address with its query. */
export const query = (page, parameters) => `${page}?${new URLSearchParams(parameters)}`;

export function pause(milliseconds, leave) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    leave.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}

/** Resolves when the page can be seen: nobody reads a hidden one. */
export function seen(leave) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) => {
    document.addEventListener("visibilitychange", () => done(), { signal: leave, once: true });
    leave.addEventListener("abort", () => done());
  });
}
