/**
 * Importing this, before anything else, lets the old generation of the process grow by a quarter of what lives between two
 * collections, instead of to several times that. For a program that makes much once, when it starts, and little ever after: what it
 * held then stays resident for as long as nothing else is needed. It collects more often while it grows, and as seldom when it does not.
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--heap-growing-percent=25");
