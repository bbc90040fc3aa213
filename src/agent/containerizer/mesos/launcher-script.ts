import { PROCESS_PARTS } from "./process-parts.ts";
import { withSystemCalls } from "./system-calls.ts";
import { TASK_PARTS } from "./task-parts.ts";
import { HELD_TERMINAL, TERMINAL_PARTS } from "./terminal-parts.ts";

/**
 * The launcher: a Perl program (perl-base: core language only, no module is loaded) that forks for the agent. Why Perl,
 * and why system calls by number, is in docs/decisions/0020-perl-launcher.md.
 *
 * It reads frames from stdin, behind itself (32 bit big-endian length, texts with a NUL behind each), and answers in lines on stdout:
 *
 *   L id dir ended mark terminal cwd uid gid groups stdout stderr rlimits group at <n control files> <n read-only> file <n argv> environment…
 *        → `S id <shim pid> <shim start time> <task pid>`, or `F id <errno> <what failed>`
 *   R id milliseconds cwd uid gid groups stdout stderr rlimits group at <n control files> <n read-only> file <n argv> environment…
 *        → `R id <wait status>`, `R id timeout`, or `F id <errno> <what failed>`
 *   `terminal`, when not empty, is the size that one begins with (`rows columns`): it is what the process reads and writes.
 *   `group`, when not empty, is the process's own and is shown at `at`, in a cgroup namespace.
 *   `X id <wait status>`  a shim ended without having done its work
 *
 * Per container it forks a shim, which leads a session of its own and adopts every orphan among its descendants
 * (PR_SET_CHILD_SUBREAPER): no process of a task escapes. The shim starts the task, waits for it, ends what the task
 * left behind (waiting for the deadline in `stop`, if that file is there), and writes the wait status: `status` by
 * rename, then a link to it in the folder `ended`, which the agent watches.
 *
 * Launcher and starting shims hold the named pipe `launching` open: a new agent that reads end-of-file from it knows
 * that no launch of its predecessor is under way any more.
 *
 * Shims are forks that share the launcher's memory, and a page counts for every task that writes to it: to a variable, a
 * text, a sub's own count of its calls. So from the read of a frame to the wait of its shim there are system calls instead of
 * Perl's files, variables of the whole program instead of new ones, and few subs; what is seldom needed may be written
 * as anywhere. It runs without `strict` and `warnings`, whose modules are a tenth of it; the test compiles it with both.
 */
const LAUNCHER_SCRIPT = String.raw`
# What is on the way of a launch comes first: what a shim writes to is parsed one after the other, and lies together.
my ($id, $dir, $ended, $fate, $terminal, $own, $self, $pid, $number, $count, $problem, $path, $line, $text, $ends, $status, $shim);
# What was read; where in it the next text of the frame begins, and where the frame ends.
my ($buffer, $at, $end, $rest) = ('', 0, 0, 0);
my ($failed, $LAUNCHING, $NULL, %shims, %dead, $default, $said, $listener) = ('');
my ($EINTR, $EAGAIN, $EINVAL, $F_SETFL) = (4, 11, 22, 4);
my ($AT_CWD, $O_CLOEXEC, $SIGPIPE, $SIGCHLD) = (-100, 02000000, 13, 17);
# Of a task with a terminal: its ends, the task's stdout, and the pipes by which the shim is shown that.
my ($master, $slave, $log, @shown, @seen);

# Forks for each frame, until there are no more.
sub serve {
  while (1) {
    while (length($buffer) - $end >= 4) {
      $at = $end + 4;
      $count = unpack("\@$end N", $buffer);
      last if length($buffer) < $at + $count;
      $end = $at + $count;
      $shim = syscall($CLONE, $SIGCHLD, 0, 0, 0, 0);
      if ($shim == 0) {
        syscall($SIGACTION, $SIGCHLD, $default, 0, 8);
        syscall($SETSID);
        syscall($PRCTL, 36, 1, 0, 0, 0);
        syscall($DUP3, $NULL, 0, 0);
        substr($buffer, $at, 1) eq 'R' ? run() : shim();
      }
      # Behind the letter and its NUL.
      $at += 2;
      $shims{$shim} = substr($buffer, $at, index($buffer, "\0", $at) - $at);
      if ($shim < 0) { reply('F ' . delete($shims{$shim}) . ' ' . ($! + 0) . " fork: $!") }
      elsif (%dead && defined(my $status = delete $dead{$shim})) {
        my $id = delete $shims{$shim};
        reply("X $id $status") if $status != 0;
      }
    }
    # Frames stay where they were read, until all are done: the pages of what is moved would be copied for each shim.
    $rest = length($buffer) - $end;
    if ($rest > 0 && $end > 0) { $buffer = substr($buffer, $end); $end = 0 }
    $count = sysread(STDIN, $buffer, 65536, $rest);
    if (defined $count) { $end = 0 }
    elsif ($! == $EINTR) { next }
    last if !$count;
  }
  leave(0);
}

# Runs until the container has ended.
sub shim {
  ($id, $dir, $ended, $fate, $terminal, $at) = unpack("\@$at x2 (Z*)5 .", $buffer);
  $0 = "mesos-task $id";
  $self = syscall($GETPID);
  # When it started, in clock ticks since boot: the 22nd word; the second one is in parentheses, and may be anything. Its thread's:
  # qemu-user makes one up for a process that reads its own, with another start time than everybody else sees.
  $path = "/proc/$self/task/$self/stat";
  $number = syscall($OPENAT, $AT_CWD, $path, 0);
  $rest = syscall($READ, $number, $text, 512) > 0 ? 20 : 0;
  syscall($CLOSE, $number);
  $number = rindex($text, ')') + 1;
  $number = index($text, ' ', $number) + 1 while $rest--;
  $own = substr($text, $number, index($text, ' ', $number) - $number);
  if (syscall($MKDIRAT, $AT_CWD, $dir, 0700) < 0) { refuse_folder() }
  if ($terminal ne '') { make_terminal() }
  if ($failed eq '') { start() }
  if ($failed eq '') {
    $line = "$self $own $pid $fate\n";
    $path = "$dir/processes";
    $number = syscall($OPENAT, $AT_CWD, $path, 01101, 0600);
    if (syscall($WRITE, $number, $line, length($line)) != length($line)) {
      $failed = ($! + 0) . " write $path: $!";
      kill 'KILL', $pid;
    }
    syscall($CLOSE, $number);
  }
  if ($failed ne '') { reply("F $id $failed"); leave(0) }
  $line = "S $id $self $own $pid\n";
  syscall($WRITE, 1, $line, length($line));
  syscall($CLOSE, $LAUNCHING);
  syscall($DUP3, $NULL, 1, 0);
  syscall($DUP3, $NULL, 2, 0);
  if ($master) { $status = hold_terminal($pid, $master, $log, $listener, "$dir/stop") }
  while (!defined $status) {
    if (waitpid(-1, 0) == $pid) { $status = $? }
  }
  # Most tasks leave nobody behind.
  if (waitpid(-1, 1) >= 0) { end_leftovers("$dir/stop") }
  $line = "$status";
  $path = "$dir/status";
  select(undef, undef, undef, 0.5) until save() || !-d $dir;
  link($path, "$ended/$id");
  leave(0);
}

# Forks the process that the rest of the frame describes: $pid. Otherwise says in $failed why not.
sub start {
  if (syscall($PIPE2, $ends, $O_CLOEXEC) < 0) { return $failed = ($! + 0) . " pipe: $!" }
  ($number, $problem) = unpack('l2', $ends);
  $pid = syscall($CLONE, $SIGCHLD, 0, 0, 0, 0);
  if ($pid == 0) { become() }
  if ($pid < 0) { return $failed = ($! + 0) . " fork: $!" }
  syscall($CLOSE, $problem);
  if ($slave) { take_log() }
  # What it says when it fails. Nothing when it executes: that closes the pipe.
  1 while ($count = syscall($READ, $number, $said, 4096)) < 0 && $! == $EINTR;
  syscall($CLOSE, $number);
  if ($count > 0) { $failed = substr($said, 0, $count) }
}

# The folder of a container is not there yet, or is empty.
sub refuse_folder {
  my $reason = "$!";
  if (-e "$dir/processes" || !-d $dir) { reply("F $id 0 mkdir $dir: $reason"); leave(0) }
}

# A terminal of the task's user, and who wants to see it.
sub make_terminal {
  (undef, my $uid) = unpack("\@$at (Z*)2", $buffer);
  ($master, $slave, $failed) = open_terminal($uid, split / /, $terminal);
  $failed = "listen in $dir" if $failed eq '' && !($listener = listen_in($dir));
  $failed = 'pipe' if $failed eq '' && !(pipe($shown[0], $shown[1]) && pipe($seen[0], $seen[1]));
  $failed = ($! + 0) . " $failed: $!" if $failed ne '';
}

# The stdout of a task with a terminal, as the task's user has opened it: nothing is opened there by name.
sub take_log {
  close($_) for $slave, $shown[1], $seen[0];
  my $shown = readline($shown[0]);
  sysopen($log, "/proc/$pid/fd/" . (0 + $shown), 06001) if defined $shown;
  close($seen[1]);
}

# With a variable of its own: the launcher's handler of SIGCHLD also answers, whenever it likes.
sub reply {
  my $answer = "$_[0]\n";
  syscall($WRITE, 1, $answer, length($answer));
}
sub leave { syscall($EXIT, 0 + $_[0]) }

sub kill_leftovers {
  my ($stop) = @_;
  my $deadline = 0;
  if (sysopen(my $file, $stop, 0)) { sysread($file, $deadline, 32) }
  if (time() * 1000 >= $deadline) { kill 'KILL', $_ for children() }
}

# Waits until no descendant is left; kills them unless the agent is stopping the container and the grace lasts.
sub end_leftovers {
  my ($stop) = @_;
  while ((my $pid = waitpid(-1, 1)) >= 0) {
    next if $pid > 0;
    kill_leftovers($stop);
    select(undef, undef, undef, 0.02);
  }
}

# Writes $line into the file $path, all of it or nothing.
sub save {
  $text = "$path.tmp";
  $number = syscall($OPENAT, $AT_CWD, $text, 01101, 0600);
  return 0 if $number < 0;
  $count = syscall($WRITE, $number, $line, length($line));
  syscall($CLOSE, $number);
  return $count == length($line) && rename($text, $path);
}

sub run {
  (undef, $id, my $milliseconds) = texts(3);
  $0 = "mesos-run $id";
  syscall($CLOSE, $LAUNCHING);
  my $expired = 0;
  start();
  if ($failed ne '') { reply("F $id $failed"); leave(0) }
  # The timer repeats, so that a signal which comes just before the wait does not make the wait endless.
  $SIG{ALRM} = sub { $expired = 1; kill 'KILL', $pid };
  my $timer = pack('q4', 0, 200000, int($milliseconds / 1000), ($milliseconds % 1000) * 1000);
  syscall($SETITIMER, 0, $timer, 0) if $milliseconds > 0;
  while (!defined $status) {
    if (waitpid(-1, 0) == $pid) { $status = $? }
  }
  $SIG{ALRM} = 'IGNORE';
  end_leftovers('');
  reply("R $id " . ($expired ? 'timeout' : $status));
  leave(0);
}
${TERMINAL_PARTS}
${TASK_PARTS}
${PROCESS_PARTS}
${HELD_TERMINAL}
my ($mark, $fifo) = @ARGV;
$0 = "mesos-launcher $mark";
close_inherited(3);
$SIG{PIPE} = 'IGNORE';
# Perl itself ignores SIGFPE; what is ignored stays so in what is executed.
$SIG{$_} = 'DEFAULT' for qw(ALRM FPE);
$SIG{CHLD} = sub {
  while ((my $pid = waitpid(-1, 1)) > 0) {
    my $id = delete $shims{$pid};
    if (!defined $id) { $dead{$pid} = $? }
    elsif ($? != 0) { reply("X $id $?") }
  }
};
syscall($MKNODAT, $AT_CWD, $fifo, 010600, 0) unless -p $fifo;
sysopen(my $launching, $fifo, 02) or die "cannot open $fifo: $!\n";
sysopen(my $null, '/dev/null', 02) or die "cannot open /dev/null: $!\n";
($LAUNCHING, $NULL) = (fileno($launching), fileno($null));
# As long from the start as it becomes.
vec($_, 255, 8) = 0 for $id, $dir, $ended, $fate, $own, $path, $line;
vec($terminal, 15, 8) = 0;
vec($text, 511, 8) = 0;
vec($ends, 7, 8) = 0;
vec($default, 31, 8) = 0;
vec($said, 4095, 8) = 0;
serve();
`;

/**
 * Reads the script from stdin, before the frames. As an argument it would lie where a process has its name: every shim writes
 * its own over all of that, and would have five pages more.
 */
const READ_SCRIPT = `
my ($size, $script) = (shift(@ARGV), '');
while (length($script) < $size) { sysread(STDIN, $script, $size - length($script), length($script)) or exit 1 }
eval $script;
die $@;
`;

/** A Perl program: its arguments, and what it takes from stdin first. */
export interface LauncherProgram {
  readonly arguments: readonly string[];
  readonly input: string;
}

/**
 * The launcher, for `perl`. `mark` is shown in process lists, `fifo` is the path of the named pipe `launching`. Undefined
 * on an architecture whose system calls we do not know.
 */
export function launcherProgram(architecture: string, mark: string, fifo: string): LauncherProgram | undefined {
  const input = withSystemCalls(architecture, LAUNCHER_SCRIPT);
  if (input === undefined) return undefined;
  return { arguments: ["-e", READ_SCRIPT, `${Buffer.byteLength(input)}`, mark, fifo], input };
}
