import type { Case } from "./case.ts";
import { commandCases } from "./tables/commands.ts";
import { endCases } from "./tables/ends.ts";
import { environmentCases } from "./tables/environment.ts";
import { fieldCases } from "./tables/fields.ts";
import { idCases } from "./tables/ids.ts";

/** Odd but legal tasks, and what becomes of each, by Mesos' rules. */
export const table: readonly Case[] = [...idCases, ...commandCases, ...environmentCases, ...fieldCases, ...endCases];
