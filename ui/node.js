/** The node's own view: what it is, its machine and services, its flags. */
import { curve } from "./curves.js";
import { definitions } from "./definitions.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { bytes, duration, megabytes, moment, number } from "./format.js";
import { showMaster } from "./header.js";
import { isStarved } from "./model.js";
import { tableOf } from "./table.js";

const pairs = (value) => Object.entries(value ?? {});
const list = (value) => (Array.isArray(value) ? value : []);

const logLink = element("a", { href: "#/file?path=%2Fslave%2Flog" }, "the agent's log");
const masterLink = element("a", { rel: "noreferrer" });

/** Resources of a kind that there is none of are left out. */
const resourcesOf = (resources) =>
  pairs(resources).filter(([, value]) => value !== 0 && value !== "" && value !== "[]");
const amountText = (name, value) => (name === "mem" || name === "disk" ? megabytes(value) : String(value));

function reservationRow() {
  const cells = ["Resource", "Reserved", "Allocated"].map((label) =>
    element("td", { role: "cell", "data-label": label }),
  );
  const role = element("span", { class: "clamped" });
  const node = element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, role), ...cells);
  const update = ({ role: name, resource, total, allocated }) => {
    setText(role, name === "" ? "anybody" : name);
    setText(cells[0], resource);
    setText(cells[1], amountText(resource, total));
    setText(cells[2], allocated === undefined ? "nothing" : amountText(resource, allocated));
  };
  return { node, update };
}

const reservations = tableOf(["Role", "Resource", "Reserved", "Allocated"], "Reservations", "reservations");
byId("reservation-table").append(reservations.table);

/** What is kept for roles, and what of it is allocated; what is left is anybody's. */
function showReservations(state) {
  const reserved = pairs(state.reserved_resources);
  const whose = [
    ...reserved.map(([role, total]) => [role, total, state.reserved_resources_allocated?.[role]]),
    ["", state.unreserved_resources, state.unreserved_resources_allocated],
  ];
  const rows = whose.flatMap(([role, total, allocated]) => {
    const given = new Map(resourcesOf(allocated));
    return resourcesOf(total).map(([resource, value]) => ({
      role,
      resource,
      total: value,
      allocated: given.get(resource),
    }));
  });
  byId("reservations").hidden = reserved.length === 0;
  keyed(reservations.body, rows, ({ role, resource }) => `${role}\n${resource}`, reservationRow);
}

/** How far a drain is: of the tasks that there were when it began, those that have ended since. */
function showDrain(state, tasks, ended) {
  const place = byId("drain");
  place.hidden = state.drain_config === undefined;
  if (state.drain_config === undefined) return;
  const since = state.estimated_drain_start_time_seconds;
  const done = ended.filter(({ task }) => task?.ended >= since).length;
  const bar = byId("drain-bar");
  bar.max = Math.max(1, done + tasks);
  bar.value = done;
  const grace = Number(state.drain_config.max_grace_period?.nanoseconds ?? Number.NaN) / 1e9;
  const words = [
    `since ${moment(since)}`,
    tasks === 0 ? "no task is left" : `${tasks} task${tasks === 1 ? "" : "s"} to go`,
    `${done} of ${done + tasks} ended`,
    Number.isFinite(grace) ? `each has at most ${duration(grace)} to end` : "each has the time that it asks for",
    ...(state.drain_config.mark_gone ? ["then the agent is given up for good"] : []),
  ];
  setText(byId("drain-words"), words.join(" · "));
}

function showFacts({ state, health }) {
  showMaster(masterLink, health?.master);
  const facts = [
    ["Agent id", state.id || "none yet"],
    ["Address", state.pid],
    ["Version", `mesos-slave ${state.release}, built ${state.build_date}; speaks Mesos ${state.version}`],
    ["Running for", `${duration(Date.now() / 1000 - state.start_time)}, since ${moment(state.start_time)}`],
    ["Master", masterLink],
    ...pairs(state.attributes).map(([name, value]) => [`Attribute ${name}`, value]),
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

/** Of the last minute, how much of it something waited. */
const waitedFor = ({ pressure = {} }, name) =>
  typeof pressure[name] === "number"
    ? `; something waited for it ${number(pressure[name], 1)} % of the last minute`
    : "";

function oomText({ oom_kills: kills }, starved) {
  const own = starved === 0 ? "no task" : `${starved} task${starved === 1 ? "" : "s"}`;
  const all = typeof kills === "number" ? `; of any process of this machine since it started: ${kills}` : "";
  return `${own} that is remembered here${all}`;
}

/** `starved`: how many tasks ended for want of memory. */
function machineFacts(machine, starved) {
  if (machine === undefined) return [];
  const { kernel, cgroups, cpus, load, memory_total: whole, memory_free: free, disk } = machine;
  const facts = [
    ["Kernel", kernel],
    ["Control groups", cgroups],
    [
      "CPUs",
      `${cpus}, load ${list(load)
        .map((value) => number(value, 2))
        .join(", ")}${waitedFor(machine, "cpu")}`,
    ],
    ["Memory", `${bytes(free)} free of ${bytes(whole)}${waitedFor(machine, "memory")}`],
    ["Out of memory", oomText(machine, starved)],
  ];
  if (disk !== undefined)
    facts.push([
      `Disk of ${disk.path}`,
      `${bytes(disk.available)} free of ${bytes(disk.total)}${waitedFor(machine, "io")}`,
    ]);
  return facts;
}

function engineRow({ name }) {
  const badge = element("span", { class: "badge" });
  const state = element("td", { role: "cell", "data-label": "State" }, badge);
  const about = element("td", { role: "cell", "data-label": "About" });
  const node = element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, name), state, about);
  const update = ({ version, trouble }) => {
    setText(badge, trouble === undefined ? "works" : "trouble");
    setAttribute(badge, "data-tone", trouble === undefined ? "good" : "bad");
    setText(about, [version, trouble].filter(Boolean).join(": ") || "processes of this machine");
  };
  return { node, update };
}

const engines = tableOf(["Containerizer", "State", "About"], "What runs containers", "services");
byId("engine-table").append(engines.table);

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

const table = tableOf(["Service", "State", "Since"], "Services", "services");
byId("service-table").append(table.table);

function forwarderFacts(forwarder) {
  if (forwarder === undefined) return [];
  if (forwarder.problem !== undefined) return [["Forwarder", forwarder.problem]];
  const servers = list(forwarder.servers).map(({ server, state }) => `${server}: ${state}`);
  const facts = [
    ["Forwarder's servers", servers.join(", ") || "none"],
    ...(forwarder.events === undefined ? [] : [["Shipped", `${forwarder.events} events`]]),
    ["Behind", `${bytes(forwarder.lag_bytes)}, ${number(forwarder.lag_seconds, 0)} s`],
  ];
  for (const { source, lag_bytes: lag, lag_seconds: age } of list(forwarder.files))
    facts.push([source, lag > 0 ? `${bytes(lag)} behind, ${number(age, 0)} s` : "all shipped"]);
  return facts;
}

/** `node` is what /node says; undefined until it did. */
function showMachine(node, starved) {
  definitions(byId("machine"), machineFacts(node?.machine, starved));
  keyed(engines.body, list(node?.machine?.engines), ({ name }) => name, engineRow);
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

const plots = {
  cpu: curve("plot", "CPU of the machine in the last ten minutes", "cpu"),
  memory: curve("plot", "Memory of the machine in the last ten minutes", "memory"),
};
byId("machine-cpu").append(plots.cpu.svg);
byId("machine-memory").append(plots.memory.svg);

/** What the whole machine does, whoever does it: from the second look at the node on. */
function showMachineUse(machine, samples) {
  byId("machine-use").hidden = machine === undefined;
  if (machine === undefined) return;
  const { cpu } = samples.at(-1) ?? {};
  setText(byId("machine-cpu-now"), cpu === undefined ? "–" : `${number(cpu, 1)} of ${machine.cpus}`);
  const used = machine.memory_total - machine.memory_free;
  setText(byId("machine-memory-now"), `${bytes(used)} of ${bytes(machine.memory_total)}`);
  plots.cpu.update(samples, machine.cpus);
  plots.memory.update(samples, machine.memory_total);
}

/** Everything of the node; `filter` narrows its flags. */
export function showNode(seen, samples, filter) {
  showFacts(seen);
  showDrain(seen.state, seen.tasks, seen.ended);
  showReservations(seen.state);
  showMachineUse(seen.node?.machine, samples);
  showMachine(seen.node, seen.ended.filter(isStarved).length);
  showFlags(seen.state, filter);
}
