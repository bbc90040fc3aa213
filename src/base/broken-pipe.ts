/** The exit code of a program whose output nobody reads any more: what a shell makes of SIGPIPE. Whoever read it has seen enough. */
export const BROKEN_PIPE = 141;
