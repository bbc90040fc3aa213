/** The node's own view: what it is, its machine and services, its flags. */
import { definitions } from "./definitions.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { bytes, duration, megabytes, moment, number } from "./format.js";
import { showMaster } from "./header.js";
import { tableOf } from "./table.js";

const pairs = (value) => Object.entries(value ?? {});
const list = (value) => (Array.isArray(value) ? value : []);

const logLink = element("a", { href: "#/file?path=%2Fslave%2Flog" }, "the agent's log");
const masterLink = element("a", { rel: "noreferrer" });

const resourceText = (resources) =>
  pairs(resources)
    .filter(([, value]) => value !== 0 && value !== "")
    .map(([name, value]) => `${name} ${name === "mem" || name === "disk" ? megabytes(value) : value}`)
    .join(", ") || "nothing";

function reservationFacts(state) {
  const allocated = state.reserved_resources_allocated ?? {};
  return pairs(state.reserved_resources).map(([role, resources]) => [
    `Reserved for ${role}`,
    `${resourceText(resources)}; allocated: ${resourceText(allocated[role])}`,
  ]);
}

function drainFact(state, tasks) {
  if (state.drain_config === undefined) return [];
  const since = state.estimated_drain_start_time_seconds;
  const rest = tasks === 0 ? "done: no task is left" : `${tasks} task${tasks === 1 ? "" : "s"} to go`;
  const gone = state.drain_config.mark_gone ? ", then it is given up" : "";
  return [["Drain", `since ${moment(since)}, ${rest}${gone}`]];
}

function showFacts({ state, health, tasks }) {
  showMaster(masterLink, health?.master);
  const facts = [
    ["Agent id", state.id || "none yet"],
    ["Address", state.pid],
    ["Version", `mesos-slave ${state.release}, built ${state.build_date}; speaks Mesos ${state.version}`],
    ["Running for", `${duration(Date.now() / 1000 - state.start_time)}, since ${moment(state.start_time)}`],
    ["Master", masterLink],
    ...drainFact(state, tasks),
    ...pairs(state.attributes).map(([name, value]) => [`Attribute ${name}`, value]),
    ...reservationFacts(state),
    ["Capabilities", (state.capabilities ?? []).join(", ")],
  ];
  if (state.log_dir !== undefined || state.external_log_file !== undefined) facts.push(["Log", logLink]);
  definitions(byId("facts"), facts);
}

function showFlags(state, filter) {
  const flags = pairs(state.flags);
  definitions(
    byId("flags"),
    flags.filter((pair) => pair.some((text) => String(text).toLowerCase().includes(filter))),
  );
}

function machineFacts(machine) {
  if (machine === undefined) return [];
  const { kernel, cgroups, cpus, load, memory_total: whole, memory_free: free, disk, engines } = machine;
  const facts = [
    ["Kernel", kernel],
    ["Control groups", cgroups],
    [
      "CPUs",
      `${cpus}, load ${list(load)
        .map((value) => number(value, 2))
        .join(", ")}`,
    ],
    ["Memory", `${bytes(free)} free of ${bytes(whole)}`],
  ];
  if (disk !== undefined) facts.push([`Disk of ${disk.path}`, `${bytes(disk.available)} free of ${bytes(disk.total)}`]);
  for (const { name, version, trouble } of list(engines))
    facts.push([`Containerizer ${name}`, [version, trouble].filter(Boolean).join(": ") || "works"]);
  return facts;
}

const BAD = /FATAL|BACKOFF|UNKNOWN/;

function serviceRow({ name }) {
  const state = element("td", { role: "cell", "data-label": "State" }, element("span", { class: "badge" }));
  const about = element("td", { role: "cell", "data-label": "Since" });
  const node = element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, name), state, about);
  const update = (service) => {
    setText(state.firstChild, service.state.toLowerCase());
    setAttribute(
      state.firstChild,
      "data-tone",
      BAD.test(service.state) ? "bad" : service.state === "RUNNING" ? "good" : "plain",
    );
    const since =
      service.start > 0 && service.state === "RUNNING" ? `${duration(Date.now() / 1000 - service.start)}` : "";
    const ended = service.state === "EXITED" ? `with status ${service.exit_status}` : "";
    setText(about, since || ended || service.problem || "–");
  };
  return { node, update };
}

const table = tableOf(["Service", "State", "Since"], "Services", "events");
byId("service-table").append(table.table);

function forwarderFacts(forwarder) {
  if (forwarder === undefined) return [];
  if (forwarder.problem !== undefined) return [["Forwarder", forwarder.problem]];
  const servers = list(forwarder.servers).map(({ server, state }) => `${server}: ${state}`);
  const facts = [
    ["Forwarder's servers", servers.join(", ") || "none"],
    ["Shipped", `${forwarder.events} events`],
    ["Behind", `${bytes(forwarder.lag_bytes)}, ${number(forwarder.lag_seconds, 0)} s`],
  ];
  for (const { source, lag_bytes: lag, lag_seconds: age } of list(forwarder.files))
    facts.push([source, lag > 0 ? `${bytes(lag)} behind, ${number(age, 0)} s` : "all shipped"]);
  return facts;
}

/** `node` is what /node says; undefined until it did. */
function showMachine(node) {
  definitions(byId("machine"), machineFacts(node?.machine));
  const services = list(node?.services);
  byId("services").hidden = services.length === 0;
  keyed(table.body, services, ({ name }) => name, serviceRow);
  const problem = byId("services-problem");
  problem.hidden = node?.services_problem === undefined;
  setText(problem, node?.services_problem ?? "");
  const verdict = byId("verdict");
  verdict.hidden = node?.verdict === undefined;
  if (node?.verdict !== undefined) setText(verdict, `redpill: ${node.verdict}`);
  definitions(byId("forwarder"), forwarderFacts(node?.forwarder));
}

/** Everything of the node; `filter` narrows its flags. */
export function showNode(seen, filter) {
  showFacts(seen);
  showMachine(seen.node);
  showFlags(seen.state, filter);
}
