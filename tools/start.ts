/** `npm start` in a checkout. The program itself is src/main/start.ts, so that the published package has it as well. */
import "../src/main/start.ts";
