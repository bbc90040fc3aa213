import { type AddressInfo, connect, createServer } from "node:net";
import { pipeline } from "node:stream";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Contender } from "../../src/local-master/contender.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import type { MasterInfo } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { createDetector } from "../../src/zookeeper/detector.ts";
import { Program } from "../support/program.ts";
import { ScriptedAgent } from "../support/scripted-agent.ts";
import { Ensemble, missingZooKeeper } from "../support/zookeeper-ensemble.ts";

const missing = missingZooKeeper();
const context = { clock: systemClock, log: silentLogger };
let ensemble: Ensemble | undefined;

beforeAll(async () => {
  if (missing !== undefined) return;
  ensemble = await Ensemble.create(1);
  await ensemble.startAll();
});

afterAll(async () => {
  await ensemble?.close();
});

it.for([
  ["", "open to all"],
  ["me:secret@", "with credentials"],
])("a master is found in ZooKeeper, and the next one when it leaves (%s%s)", async ([credentials], ctx) => {
  if (missing !== undefined && process.env["CI"] !== undefined) expect.fail(missing);
  if (missing !== undefined || ensemble === undefined) return ctx.skip(missing);
  const url = `zk://${credentials}${ensemble.servers}/${credentials === "" ? "open" : "closed"}/mesos`;
  const masters = [new LocalMaster({ port: 0 }), new LocalMaster({ port: 0 })];
  const contenders: Contender[] = [];
  for (const master of masters) {
    await master.start();
    const contender = new Contender(url, master.masterInfo, context);
    contenders.push(contender);
    contender.start();
    await contender.joined;
  }
  const detector = await createDetector(url, context);
  const seen: (MasterInfo | undefined)[] = [];
  let wake: () => void = () => undefined;
  detector.watch((master) => {
    seen.push(master);
    wake();
  });
  const leads = async (pid: string | undefined): Promise<void> => {
    while (seen.at(-1)?.pid !== pid || pid === undefined)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  await leads(masters[0]?.masterInfo.pid);
  expect(seen.at(-1)).toMatchObject({ id: masters[0]?.masterInfo.id, version: "1.11.0" });
  contenders[0]?.stop();
  await leads(masters[1]?.masterInfo.pid);
  await detector.close();
  contenders[1]?.stop();
  for (const master of masters) await master.stop();
});

it("a master that met a server which says nothing yet is found all the same", async (ctx) => {
  if (missing !== undefined && process.env["CI"] !== undefined) expect.fail(missing);
  if (missing !== undefined || ensemble === undefined) return ctx.skip(missing);
  // One that is only just starting does so at times: it takes the connection, and loses the first request.
  const [port] = ensemble.ports;
  let connections = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (connections++ === 0) return;
    const real = connect(port ?? 0, "127.0.0.1");
    pipeline(socket, real, socket, () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const master = new LocalMaster({ port: 0 });
  await master.start();
  const { port: silent } = server.address() as AddressInfo;
  const contender = new Contender(`zk://127.0.0.1:${silent}/late`, master.masterInfo, context);
  contender.start();
  await contender.joined;
  expect(connections).toBe(2);
  expect(await ensemble.commandLine("ls", "/late")).toContain("json.info_0000000000");
  contender.stop();
  await master.stop();
  server.close();
});

it("mesos-execute and the command line find their master there", async (ctx) => {
  if (missing !== undefined && process.env["CI"] !== undefined) expect.fail(missing);
  if (missing !== undefined || ensemble === undefined) return ctx.skip(missing);
  const url = `zk://${ensemble.servers}/execute`;
  const master = new LocalMaster({ port: 0 });
  await master.start();
  const contender = new Contender(url, master.masterInfo, context);
  contender.start();
  await contender.joined;
  const agent = await ScriptedAgent.start({ master: master.address });
  await agent.register();
  const program = new Program("mesos-execute", [`--master=${url}`, "--command=true"]);
  expect(await program.ended()).toBe(0);
  const tasks = new Program("cli", ["tasks", "--all", `--master=${url}`]);
  expect([await tasks.ended(), tasks.output]).toEqual([0, expect.stringMatching(/^TASK .*\n.*TASK_FINISHED/)]);
  await agent.close();
  contender.stop();
  await master.stop();
});
