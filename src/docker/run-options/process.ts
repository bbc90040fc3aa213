import { UserError } from "../../base/errors.ts";
import type { RunOption } from "./table.ts";
import { durationValue, flagValue, integerValue, pairValue } from "./values.ts";

/** Options about the process and the container's identity. */
export const processOptions: Readonly<Record<string, RunOption>> = {
  domainname: ({ request }, value) => {
    request.Domainname = value;
  },
  entrypoint: ({ request }, value) => {
    request.Entrypoint = [value];
  },
  env: ({ request }, value) => {
    const name = pairValue(value)[0];
    if (!value.includes("="))
      throw new UserError(`'${value}' has no value; the agent's own environment is not passed on`);
    request.Env = [...(request.Env ?? []).filter((one) => !one.startsWith(`${name}=`)), value];
  },
  hostname: ({ request }, value) => {
    request.Hostname = value;
  },
  interactive: ({ request }, value) => {
    request.OpenStdin = flagValue(value);
  },
  label: ({ request }, value) => {
    const [name, text] = pairValue(value);
    request.Labels = { ...request.Labels, [name]: text };
  },
  "stop-signal": ({ request }, value) => {
    request.StopSignal = value;
  },
  "stop-timeout": ({ request }, value) => {
    request.StopTimeout = /^\d+$/.test(value) ? integerValue(value) : Math.ceil(durationValue(value) / 1e9);
  },
  tty: ({ request }, value) => {
    request.Tty = flagValue(value);
  },
  user: ({ request }, value) => {
    request.User = value;
  },
  workdir: ({ request }, value) => {
    request.WorkingDir = value;
  },
};
