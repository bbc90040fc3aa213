export { framesOf, pairsOf } from "../../src/forwarder/lumberjack/encoding/rewindow.ts";
