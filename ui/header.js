/** What stands above every view: the host, its state, and what is wrong with it. */
import { Refused } from "./ask.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { duration, moment, timeOfDay } from "./format.js";

const PHASES = {
  RUNNING: ["registered", "good"],
  RECOVERING: ["recovering", "plain"],
  DISCONNECTED: ["no master", "bad"],
  TERMINATING: ["leaving", "bad"],
};

/** The tab tells which host it is, and that something is wrong with it before anything else. */
function showTitle(hostname, word, tone, troubles) {
  const wrong = tone === "bad" ? word : troubles > 0 ? `${troubles} trouble${troubles === 1 ? "" : "s"}` : "";
  const title = `${wrong === "" ? "" : `⚠ ${wrong}: `}${hostname} – Mesos agent`;
  if (document.title !== title) document.title = title;
}

export function showHeader({ state, health }) {
  const [word, tone] = byId("away").hidden
    ? (PHASES[health?.phase] ?? [health?.phase ?? "", "plain"])
    : ["away", "bad"];
  if (state !== undefined) {
    setText(byId("hostname"), state.hostname);
    showTitle(state.hostname, word, tone, Object.keys(health?.troubles ?? {}).length);
    showAbout(state, health);
  }
  if (health === undefined) return;
  const badge = byId("phase");
  badge.hidden = false;
  setText(badge, word);
  setAttribute(badge, "data-tone", tone);
}

/** A link to the master's page: it speaks TLS when its agents do. */
export function showMaster(anchor, address) {
  setText(anchor, address ?? "none");
  const url = address === undefined ? undefined : URL.parse(`${location.protocol}//${address}/`)?.href;
  setAttribute(anchor, "href", url);
}

const aboutMaster = element("a", { rel: "noreferrer" });
byId("about-master").append(aboutMaster);

/** The line below: version, master, id. */
function showAbout(state, health) {
  byId("about").hidden = false;
  setText(byId("about-version"), state.version);
  setText(byId("about-uptime"), duration(Date.now() / 1000 - state.start_time));
  setText(byId("about-id"), state.id || "without an id yet");
  showMaster(aboutMaster, health?.master);
}

/** What an operator has to know first: troubles, a drain, no master. `tasks`: how many run here. */
export function showNotices({ state, health }, tasks) {
  const notices = Object.entries(health?.troubles ?? {}).map(([part, text]) => ({
    key: part,
    tone: "bad",
    text: `${part}: ${text}`,
  }));
  if (health?.phase === "RECOVERING")
    notices.push({ key: "recovering", tone: "plain", text: "The agent looks for the tasks of its last run." });
  if (health?.phase === "DISCONNECTED")
    notices.push({ key: "master", tone: "bad", text: "The agent is registered with no master. Its tasks run on." });
  if (state?.drain_config !== undefined) {
    const since = moment(state.estimated_drain_start_time_seconds);
    const rest = tasks === 0 ? "no task is left" : `${tasks} task${tasks === 1 ? "" : "s"} to go`;
    notices.push({ key: "drain", tone: "plain", text: `The master drains this agent, since ${since}: ${rest}.` });
  }
  keyed(
    byId("notices"),
    notices,
    ({ key }) => key,
    () => {
      const node = element("p", { class: "notice" });
      const update = ({ tone, text }) => {
        node.classList.toggle("bad", tone === "bad");
        setText(node, text);
      };
      return { node, update };
    },
  );
}

/** Says that the agent is away, or what it refuses; takes it back when it answers. */
export function showAway(error, at) {
  const place = byId("away");
  place.hidden = error === undefined;
  if (error === undefined) return;
  const old = at === undefined ? "" : ` What you see is from ${timeOfDay(at)}.`;
  if (error instanceof Refused && error.status === 401)
    setText(place, `The agent asks for a password: load this page anew and give it.${old}`);
  else if (error instanceof Refused && error.status === 403)
    setText(place, "The agent's rules (--acls, --firewall_rules) do not let you see this.");
  else if (error instanceof Refused) setText(place, `The agent refuses: ${error.message}.${old}`);
  else setText(place, `The agent does not answer.${old} Trying again every 5 s.`);
}

export const isRecovering = (error) => error instanceof Refused && error.status === 503;
