import { PROCESS_PARTS } from "../mesos/process-parts.ts";
import { withSystemCalls } from "../mesos/system-calls.ts";
import { TERMINAL_PARTS } from "../mesos/terminal-parts.ts";

/**
 * What looks after one session in a running container: a Perl program (perl-base, no module), as the launcher is one
 * (docs/decisions/0020, 0022). The agent starts it with four sockets: 0 what the session's process reads, 1 and 2 what it
 * writes, 3 for control. It reads one frame from 3 (32 bit big-endian length, fields separated by NUL):
 *
 *   cwd uid gid groups rows columns namespaces <n control files> file <n argv> environment…
 *
 * `rows` is empty for a session without a terminal; `namespaces` is the process whose namespaces it enters, or empty. Then
 * lines: it answers `P <pid>` or `F <errno> <what failed>`, and at the end `X <wait status>`; it takes `W <rows> <columns>`
 * and `S <signal>`. When 3 ends, the agent or the client is gone, and everything of the session is killed.
 *
 * Between the process and the sockets there are real pipes (/dev/stdout can be opened, which a socket cannot be) or a
 * terminal. What one side does not take is not read from the other: what is under way is bounded by the buffers here.
 */
const SESSION_SCRIPT = String.raw`
use strict;
# A warning would be read by the client, as what the process says on its stderr.
no warnings;

my ($title) = @ARGV;
my ($EINTR, $EAGAIN, $F_SETFL, $O_NONBLOCK) = (4, 11, 4, 04000);
my $CHUNK = 65536;
${PROCESS_PARTS}
${TERMINAL_PARTS}
$0 = "mesos-session $title";
$SIG{PIPE} = 'IGNORE';
syscall($SETSID);
syscall($PRCTL, 36, 1, 0, 0, 0);
close_inherited(4);
open(my $control, '+<&=3') or die "no control: $!\n";

sub leave { syscall($EXIT, 0 + $_[0]) }
sub report { syswrite($control, "$_[0]\n") }

sub exactly {
  my ($wanted) = @_;
  my $got = '';
  while (length($got) < $wanted) {
    my $count = sysread($control, $got, $wanted - length($got), length($got));
    next if !defined $count && $! == $EINTR;
    leave(1) unless $count;
  }
  return $got;
}

my @f = split /\0/, exactly(unpack('N', exactly(4))), -1;
my ($cwd, $uid, $gid, $groups, $rows, $columns, $namespaces) = splice(@f, 0, 7);
my @members = splice(@f, 0, shift @f);
my $file = shift @f;
my @argv = splice(@f, 0, shift @f);
my @environment = @f;

my ($master, $slave);
my ($problem_out, $problem);
sub failed { syswrite($problem, ($! + 0) . " $_[0]: $!"); leave(127) }
sub refuse { report('F ' . ($! + 0) . " $_[0]: $!"); leave(0) }

if ($rows ne '') {
  ($master, $slave, my $failed) = open_terminal($uid, $rows, $columns);
  refuse($failed) if $failed ne '';
}

# In the session's process.
sub enter {
  syscall($SETSID);
  my $why = enter_groups(@members);
  failed($why) if $why ne '';
  my $place = place_of($cwd);
  my $moved = 0;
  if ($namespaces ne '') {
    my @wanted;
    for my $kind (qw(cgroup ipc uts net mnt)) {
      next if readlink("/proc/$namespaces/ns/$kind") eq readlink("/proc/self/ns/$kind");
      sysopen(my $namespace, "/proc/$namespaces/ns/$kind", 0) or failed("open the $kind namespace");
      push @wanted, [$kind, $namespace];
      $moved = 1 if $kind eq 'mnt';
    }
    for (@wanted) { syscall($SETNS, fileno($_->[1]), 0) == 0 or failed("enter the $_->[0] namespace") }
  }
  ($moved ? go_to($place) : chdir($cwd)) or failed("chdir $cwd");
  $why = become_user($uid, $gid, $groups);
  failed($why) if $why ne '';
}

my (@inner, @outer);
if (!$master) {
  for (0 .. 2) { pipe($inner[$_], $outer[$_]) or refuse('pipe') }
}
pipe($problem_out, $problem) or refuse('pipe');
my $pid = fork();
refuse('fork') unless defined $pid;
if ($pid == 0) {
  close($problem_out);
  enter();
  if ($master) {
    ioctl($slave, $TIOCSCTTY, 0) or failed('take the terminal');
    syscall($DUP3, fileno($slave), $_, 0) for 0, 1, 2;
  } else {
    syscall($DUP3, fileno($inner[0]), 0, 0);
    syscall($DUP3, fileno($outer[1]), 1, 0);
    syscall($DUP3, fileno($outer[2]), 2, 0);
  }
  # All others close when it executes; so do these, where the kernel is older than 5.9.
  syscall($CLOSE_RANGE, 3, fileno($problem) - 1, 0);
  $SIG{$_} = 'DEFAULT' for qw(PIPE FPE);
  my ($search) = map { substr($_, 5) } grep { index($_, 'PATH=') == 0 } @environment;
  my ($words, $variables) = map { pack('p*', @$_) . pack('J', 0) } \@argv, \@environment;
  $! = execute($file, $search, $words, $variables);
  failed("execute '$file'");
}
close($problem);
my $why = '';
1 while !defined sysread($problem_out, $why, 4096) && $! == $EINTR;
if ($why ne '') { waitpid($pid, 0); report("F $why"); leave(0) }
report("P $pid");

# What is read, what it is written to, what is read and not written yet.
my @flows;
if ($master) {
  close($slave);
  @flows = ([\*STDIN, $master, ''], [$master, \*STDOUT, '']);
} else {
  close($inner[0]); close($outer[1]); close($outer[2]);
  @flows = ([\*STDIN, $outer[0], ''], [$inner[1], \*STDOUT, ''], [$inner[2], \*STDERR, '']);
}
for my $flow (@flows) { fcntl($_, $F_SETFL, 02 | $O_NONBLOCK) for $flow->[0], $flow->[1] }

my $lines = '';
my ($status, $gone, $over) = (undef, 0, 0);
$SIG{CHLD} = sub { };

# Takes in who ended. True when nobody is left.
sub reap {
  while ((my $one = waitpid(-1, 1)) != 0) {
    return 1 if $one < 0;
    $status = $? if $one == $pid;
  }
  return 0;
}

# Closes the reading side of a flow and, when all of it is written, the writing one.
sub finish { my ($flow) = @_; $flow->[0] = undef; shut($flow) if $flow->[2] eq '' }
sub shut {
  my ($flow) = @_;
  return unless $flow->[1];
  # Of a terminal nothing is closed: both directions are one.
  if (!$master || $flow->[1] != $master) { close($flow->[1]) }
  $flow->[1] = undef;
}

sub pump {
  my ($flow, $readable, $writable) = @_;
  if ($flow->[0] && $flow->[2] eq '' && vec($readable, fileno($flow->[0]), 1)) {
    my $count = sysread($flow->[0], $flow->[2], $CHUNK);
    # A terminal that nobody has open any more reads as an error.
    finish($flow) if defined $count ? $count == 0 : $! != $EAGAIN && $! != $EINTR;
  }
  if ($flow->[1] && $flow->[2] ne '') {
    my $count = syswrite($flow->[1], $flow->[2]);
    if (defined $count) { substr($flow->[2], 0, $count, '') }
    elsif ($! != $EAGAIN && $! != $EINTR) { $flow->[2] = ''; $flow->[0] = undef }
    shut($flow) if $flow->[2] eq '' && !$flow->[0];
  }
}

sub obey {
  my $count = sysread($control, $lines, 4096, length($lines));
  return if !defined $count && ($! == $EAGAIN || $! == $EINTR);
  if (!$count) { $gone = 1; return }
  while ($lines =~ s/^([^\n]*)\n//) {
    my ($verb, @words) = split / /, $1;
    if ($verb eq 'W') { resize_terminal($master, @words) if $master }
    elsif ($verb eq 'S') { kill(0 + $words[0], $pid) if !defined $status }
  }
}

fcntl($control, $F_SETFL, 02 | $O_NONBLOCK);
while (1) {
  my $alone = reap();
  # The session ends with its first process, as a container does.
  if ($gone || defined $status) { kill 'KILL', $_ for children() }
  last if $alone && ($gone || !grep { $_->[1] } @flows[1 .. $#flows]);
  my ($readable, $writable) = ('', '');
  vec($readable, fileno($control), 1) = 1 unless $gone;
  for my $flow (@flows) {
    vec($readable, fileno($flow->[0]), 1) = 1 if $flow->[0] && $flow->[2] eq '';
    vec($writable, fileno($flow->[1]), 1) = 1 if $flow->[1] && $flow->[2] ne '';
  }
  # What is read ends before its writer is told to have ended: only then it is looked at often.
  my $wait = $alone || (!$gone && !defined $status && grep { $_->[0] } @flows[1 .. $#flows]) ? 1 : 0.02;
  my $count = select($readable, $writable, undef, $wait);
  next if $count <= 0;
  obey() if !$gone && vec($readable, fileno($control), 1);
  pump($_, $readable, $writable) for @flows;
}
report('X ' . (defined $status ? $status : 9));
leave(0);
`;

/** Arguments for `perl`; undefined on an architecture whose system calls we do not know. `title`: shown in process lists. */
export function sessionArguments(architecture: string, title: string): string[] | undefined {
  const script = withSystemCalls(architecture, SESSION_SCRIPT);
  return script === undefined ? undefined : ["-e", script, title];
}
