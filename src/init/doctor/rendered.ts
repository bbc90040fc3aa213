import { parseLocated, prepareText } from "../../config/located-json.ts";
import type { Patient } from "./finding.ts";

/** What the forwarder will read, variables put in: a file each. Throws for a copy that is no JSON object. */
export const renderedConfigurations = ({ forwarderFiles, setting }: Patient): Readonly<Record<string, unknown>>[] =>
  forwarderFiles.map(
    ({ path, text }) => parseLocated(path, prepareText(text, setting)).value as Readonly<Record<string, unknown>>,
  );
