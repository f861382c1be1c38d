import { copiesWithCtl } from "./copy.ts";
import { withEachClient } from "./docker-command.ts";
import { showsCtl } from "./show.ts";
import { worksWithCtl } from "./work.ts";

describe("the docker command on ctl's socket", () => {
  withEachClient((command) => {
    showsCtl(command);
    worksWithCtl(command);
    copiesWithCtl(command);
  });
});
