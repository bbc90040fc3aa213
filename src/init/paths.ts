/**
 * Where everything lies. `root` is "" in the image and a private folder under `npm start`; init.sh finds it and hands it on
 * as INIT_ROOT.
 *
 *   /init.sh                                   PID 1
 *   /etc/supervisor/supervisord.conf           static
 *   /etc/supervisor/conf.d/SERVICE.conf        written at every start (SERVICE.disabled for a disabled one)
 *   /opt/scripts/redpill.sh                    the watchdog
 *   /opt/logstash-forwarder/                   the forwarder and its default configuration
 *   /opt/mesos-slave/                          the programs (run, node, dist)
 *   /run/supervisor.sock                       supervisord, root only
 *   /run/redpill.{verdict,cleanup,alive}       why the container ends; the clean-up ran; the watchdog lives
 *   /run/supervisord.reloading                 the services end only to begin again
 *   /run/health, /run/agent                    what the HEALTHCHECK asks: as init expects it, and as the agent listens
 *   /run/mesos-slave/                          secrets that were given as text and that the agent reads from files; root only
 *   /run/logstash-forwarder/                   the rendered copy of its configuration
 *   /var/lib/logstash-forwarder/               its registry
 *   /var/lib/mesos, /var/log/mesos             work_dir and log_dir unless said otherwise
 *   /var/log/supervisor/SERVICE.{out,err}.log  what `supervisorctl tail` reads
 */
export interface Paths {
  readonly root: string;
  readonly supervisorConfiguration: string;
  readonly programs: string;
  readonly serviceLogs: string;
  /** The same folder as supervisord is to name it: below its working folder, whatever the path of that holds. */
  readonly serviceLogsForSupervisord: string;
  readonly socket: string;
  readonly run: string;
  readonly health: string;
  readonly verdict: string;
  readonly alive: string;
  readonly secrets: string;
  readonly redpill: string;
  readonly forwarder: string;
  readonly forwarderConfiguration: string;
  readonly forwarderRendered: string;
  readonly forwarderState: string;
  readonly interfaces: string;
}

/** `root` as /init.sh shows it to supervisord, which would expand a percent sign and takes no socket of 108 bytes. */
const WORKING_FOLDER = "/proc/self/cwd";

/** The paths below `root`. */
export function pathsBelow(root: string): Paths {
  const at = (path: string): string => `${root}${path}`;
  return {
    root,
    supervisorConfiguration: at("/etc/supervisor/supervisord.conf"),
    programs: at("/etc/supervisor/conf.d"),
    serviceLogs: at("/var/log/supervisor"),
    serviceLogsForSupervisord: `${root === "" ? "" : WORKING_FOLDER}/var/log/supervisor`,
    socket: at("/run/supervisor.sock"),
    run: at("/run"),
    health: at("/run/health"),
    verdict: at("/run/redpill.verdict"),
    alive: at("/run/redpill.alive"),
    secrets: at("/run/mesos-slave"),
    redpill: at("/opt/scripts/redpill.sh"),
    forwarder: at("/opt/logstash-forwarder/logstash-forwarder"),
    forwarderConfiguration: at("/opt/logstash-forwarder/mesos-slave.conf"),
    forwarderRendered: at("/run/logstash-forwarder"),
    forwarderState: at("/var/lib/logstash-forwarder"),
    interfaces: at("/etc/supervisor/conf.d/00-supervisord.conf"),
  };
}
