import { defineFlags, flag, hideAll, ignored, misspeltAs, refused, renamedFrom } from "../../config/flag.ts";
import { anyObject, boolean, bytes, duration, json, list, path, text } from "../../config/kinds.ts";

const NO_IMAGES = "the mesos containerizer runs no images; Docker images are run by the docker containerizer";
const EXTERNAL = "the external containerizer is gone since Mesos 1.1";

/** Which containerizers there are, and the Docker one. */
export const containerFlags = defineFlags({
  containerizers: flag(list, {
    summary: "Comma separated `mesos` and `docker`, in the order in which they are asked to take a task.",
    default: ["mesos"],
    aliases: misspeltAs("containerizes"),
  }),
  default_container_info: flag(json(anyObject), {
    summary: "ContainerInfo, as JSON, for executors that have none.",
  }),
  docker_socket: flag(text, {
    summary: "Unix socket of the Docker Engine. DOCKER_HOST is used instead when this is not given.",
    default: "/var/run/docker.sock",
    aliases: renamedFrom("docker_sock"),
  }),
  docker_config: flag(json(anyObject), {
    summary: "Credentials of registries, in the form of Docker's config.json.",
    since: "1.0.0",
    mask: hideAll,
  }),
  docker_kill_orphans: flag(boolean, {
    summary: "At start, end containers of this agent that it does not know any more. Never those of others.",
    default: true,
  }),
  docker_remove_delay: flag(duration, {
    summary: "How long an ended container is kept for `docker logs` and `docker inspect`.",
    default: 21_600_000,
  }),
  docker_stop_timeout: flag(duration, {
    summary:
      "How long a container has to stop by itself when the task has no kill policy. Mesos' own default is 0ns: killed at once.",
    default: 10_000,
  }),
  default_container_dns: flag(json(anyObject), { summary: "DNS settings of containers by network.", since: "1.4.0" }),
  docker: flag(text, {
    summary: "The Docker command.",
    default: "docker",
    status: ignored("Docker is reached by its socket, not by its command"),
  }),
  docker_mesos_image: flag(text, {
    summary: "Image for the docker executor of an agent that runs in a container itself.",
    status: ignored("Docker tasks outlive this agent's container without an executor"),
  }),
  docker_volume_checkpoint_dir: flag(path, {
    summary: "State of the docker/volume isolator.",
    since: "1.0.0",
    default: "/var/run/mesos/isolators/docker/volume",
    status: ignored("there is no docker/volume isolator; the docker containerizer needs no such state"),
  }),
  docker_volume_chown: flag(boolean, {
    summary: "Give volumes of the docker/volume isolator to the task's user.",
    since: "1.9.0",
    default: false,
    status: ignored("there is no docker/volume isolator"),
  }),
  containerizer_path: flag(text, { summary: "The external containerizer.", until: "1.0.0", status: refused(EXTERNAL) }),
  default_container_image: flag(text, { summary: "Its default image.", until: "1.0.0", status: refused(EXTERNAL) }),
});

/** Images of the mesos containerizer. */
export const imageFlags = defineFlags({
  image_providers: flag(text, { summary: "`APPC`, `DOCKER`.", since: "0.25.0", status: refused(NO_IMAGES) }),
  provisioners: flag(text, { summary: "The same, in 0.24.", until: "0.24.1", status: refused(NO_IMAGES) }),
  image_provisioner_backend: flag(text, {
    summary: "How layers become a file system.",
    since: "0.25.0",
    status: ignored(NO_IMAGES),
  }),
  image_gc_config: flag(json(anyObject), {
    summary:
      "Clean-up of unused Docker images when the disk fills, as JSON: image_disk_headroom, image_disk_watch_interval, excluded_images. Without it images stay. --gc_dry_run only says what would go.",
    since: "1.5.0",
  }),
  appc_store_dir: flag(path, { summary: "Appc images.", default: "/tmp/mesos/store/appc", status: ignored(NO_IMAGES) }),
  appc_simple_discovery_uri_prefix: flag(text, {
    summary: "Where Appc images are looked for.",
    since: "0.28.0",
    default: "http://",
    status: ignored(NO_IMAGES),
  }),
  docker_registry: flag(text, {
    summary: "Registry of the mesos containerizer.",
    since: "0.26.0",
    default: "https://registry-1.docker.io",
    status: ignored(NO_IMAGES),
  }),
  docker_store_dir: flag(path, {
    summary: "Its Docker images.",
    since: "0.26.0",
    default: "/tmp/mesos/store/docker",
    status: ignored(NO_IMAGES),
  }),
  docker_ignore_runtime: flag(boolean, {
    summary: "Do not use entry point, environment and folder of Docker images.",
    since: "1.9.0",
    default: false,
    status: ignored(NO_IMAGES),
  }),
  docker_auth_server: flag(text, {
    summary: "Token server.",
    since: "0.26.0",
    until: "0.27.2",
    status: ignored(NO_IMAGES),
  }),
  docker_auth_server_port: flag(text, {
    summary: "Its port.",
    since: "0.26.0",
    until: "0.26.0",
    status: ignored(NO_IMAGES),
  }),
  docker_registry_port: flag(text, {
    summary: "Registry's port.",
    since: "0.26.0",
    until: "0.26.0",
    status: ignored(NO_IMAGES),
  }),
  docker_local_archives_dir: flag(path, {
    summary: "Folder of saved images.",
    since: "0.26.0",
    until: "0.26.0",
    status: ignored(NO_IMAGES),
  }),
  docker_puller: flag(text, {
    summary: "How images come.",
    since: "0.26.0",
    until: "0.26.0",
    status: ignored(NO_IMAGES),
  }),
  docker_puller_timeout: flag(text, {
    summary: "How long they may take.",
    since: "0.26.0",
    until: "0.27.2",
    status: ignored(NO_IMAGES),
  }),
  default_container_shm_size: flag(bytes, {
    summary: "Size of /dev/shm with a private IPC namespace.",
    since: "1.9.0",
    status: ignored("the mesos containerizer makes no IPC namespaces"),
  }),
});
