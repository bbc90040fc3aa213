import { spawn } from "node:child_process";
import type { FileHandle } from "node:fs/promises";
import { Duplex, type Readable, type Writable } from "node:stream";
import { getSystemErrorName } from "node:util";

/** The number of the system call setns(2), by Node's name of the architecture. */
const SETNS: Readonly<Record<string, number>> = { x64: 308, arm64: 268 };

/**
 * A Perl program (perl-base alone; docs/decisions/0020-perl-launcher.md says why Perl) that enters the network namespace
 * of descriptor 3, connects, answers in one line, and passes bytes between its standard input and output and the
 * connection until either side ends. A name is resolved in the namespace, with the agent's resolv.conf, as Mesos' curl
 * does it. Node itself cannot: a namespace is entered by a thread, and its threads do the work of all.
 *
 *   ok | namespace <errno> <text> | resolve 0 <text> | connect <errno> <text>
 */
const SCRIPT = String.raw`
use strict;
use warnings;
use Socket;
my ($setns, $host, $port) = @ARGV;
sub answer { syswrite(STDOUT, "$_[0]\n") }
sub pass {
  my ($to, $bytes) = @_;
  while (length $bytes) {
    my $count = syswrite($to, $bytes);
    exit unless defined $count;
    substr($bytes, 0, $count, '');
  }
}
$SIG{PIPE} = 'IGNORE';
if (syscall($setns + 0, 3, 0x40000000) != 0) { answer('namespace ' . ($! + 0) . " $!"); exit }
my ($error, @found) = Socket::getaddrinfo($host, $port, { socktype => SOCK_STREAM });
if ($error) { answer("resolve 0 $error"); exit }
my ($socket, $problem) = (undef, '0 no address');
for my $each (@found) {
  my $try;
  if (socket($try, $each->{family}, SOCK_STREAM, 0) && connect($try, $each->{addr})) { $socket = $try; last }
  $problem = ($! + 0) . " $!";
}
unless ($socket) { answer("connect $problem"); exit }
answer('ok');
for (;;) {
  my $ready = '';
  vec($ready, $_, 1) = 1 for 0, fileno($socket);
  next unless select($ready, undef, undef, undef) > 0;
  for my $way ([*STDIN, $socket], [$socket, *STDOUT]) {
    my ($from, $to) = @$way;
    next unless vec($ready, fileno($from), 1);
    exit unless sysread($from, my $bytes, 65536);
    pass($to, $bytes);
  }
}
`;

/** The agent may not enter the container's network namespace. */
export class NotEntered extends Error {
  constructor(why: string) {
    super(
      `the container's network cannot be entered (${why}): give the agent CAP_SYS_ADMIN (docker run --privileged) and perl-base`,
    );
  }
}

/**
 * A connection to `host`:`port` as a process in the network namespace `net` makes it. Rejects as a connection does, with
 * `code`; with NotEntered when there was no getting in. The stream's destruction, and `signal`, end it.
 */
export async function connectInside(
  net: FileHandle,
  host: string,
  port: number,
  signal: AbortSignal,
  architecture: string = process.arch,
): Promise<Duplex> {
  const number = SETNS[architecture];
  if (number === undefined) throw new NotEntered(`this architecture, ${architecture}, is neither x64 nor arm64`);
  signal.throwIfAborted();
  const child = spawn("perl", ["-e", SCRIPT, `${number}`, host, `${port}`], {
    stdio: ["pipe", "pipe", "ignore", net.fd],
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  const { stdin, stdout } = child as { stdin: Writable; stdout: Readable };
  const end = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", end, { once: true });
  child.once("close", () => signal.removeEventListener("abort", end));
  try {
    const failed = new Promise<never>((_resolve, reject) => child.once("error", reject));
    const answer = await Promise.race([firstLine(stdout), failed]);
    if (answer !== "ok") throw refusal(answer);
  } catch (error) {
    end();
    signal.throwIfAborted();
    throw (error as { code?: unknown }).code === "ENOENT" ? new NotEntered("there is no perl") : error;
  }
  return quietly(Duplex.from({ readable: stdout, writable: stdin })).once("close", end);
}

/**
 * Node takes it for an error when such a stream is destroyed before its end (AbortError), or when its child ends before all of
 * it was read (ERR_STREAM_PREMATURE_CLOSE): both are how connections end here, and the end says enough. Behind a TLS socket
 * nobody hears the stream itself; an error there would be the whole process'.
 */
function quietly(stream: Duplex): Duplex {
  const destroy = stream._destroy.bind(stream);
  stream._destroy = (error, done) => destroy(error, () => done());
  return stream;
}

function refusal(answer: string): Error {
  const [, stage, errno, text] = /^(\w+) (\d+) (.*)$/.exec(answer) ?? [];
  if (stage === "namespace") return new NotEntered(text ?? "");
  const error = new Error(stage === undefined ? "the probe in the container's network was ended" : (text ?? ""));
  return Number(errno) > 0 ? Object.assign(error, { code: getSystemErrorName(-Number(errno)) }) : error;
}

/** Without its end; what follows stays in the stream. A stream that ends is its last line. */
async function firstLine(stream: Readable): Promise<string> {
  let line = "";
  const over = new Promise<void>((resolve) => stream.once("close", resolve).once("end", resolve));
  for (;;) {
    const byte = stream.read(1) as Buffer | null;
    if (byte === null) {
      if (stream.readableEnded || stream.destroyed) return line;
      await Promise.race([new Promise((resolve) => stream.once("readable", resolve)), over]);
    } else if (byte[0] === 0x0a) return line;
    else line += byte.toString("latin1");
  }
}
