import type { Case } from "./case.ts";
import { commandCases } from "./tables/commands.ts";
import { dockerCases } from "./tables/docker.ts";
import { endCases } from "./tables/ends.ts";
import { environmentCases } from "./tables/environment.ts";
import { fieldCases } from "./tables/fields.ts";
import { idCases } from "./tables/ids.ts";
import { numberCases } from "./tables/numbers.ts";

/** Odd but legal tasks, and what becomes of each, by Mesos' rules. */
export const table: readonly Case[] = [
  ...idCases,
  ...commandCases,
  ...environmentCases,
  ...fieldCases,
  ...numberCases,
  ...endCases,
];

/** Those that need a Docker daemon with the image `box:1`: a shell and little else. */
export const dockerTable: readonly Case[] = dockerCases;
