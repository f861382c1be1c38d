import { parsedList, text, toggle } from "./grammar/flags.ts";
import { parseFilter } from "./values/filter.ts";

/** What every list takes. */
export const listFlags = {
  filter: parsedList({ short: "f", value: "filter", help: "Show only what matches name=value" }, parseFilter),
  format: text({ help: "'table', 'table TEMPLATE', 'json', or a Go template for each line" }),
  "no-trunc": toggle({ help: "Show long values whole" }),
  quiet: toggle({ short: "q", help: "Show names or ids alone" }),
};
