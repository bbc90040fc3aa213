export { framesOf, pairsOf } from "../../src/forwarder/lumberjack/rewindow.ts";
