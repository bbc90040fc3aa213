import { PROCESS_PARTS } from "./process-parts.ts";
import { HELD_TERMINAL, TERMINAL_PARTS } from "./terminal-parts.ts";

/**
 * The launcher: a Perl program (perl-base: core language only, no module is loaded) that forks for the agent. Why Perl,
 * and why system calls by number, is in docs/decisions/0020-perl-launcher.md.
 *
 * It reads frames from stdin (32 bit big-endian length, fields separated by NUL) and answers in lines on stdout:
 *
 *   L id dir ended cwd uid gid groups stdout stderr rlimits group at mark terminal <n control files> <n read-only> file <n argv> environment…
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
 * Shims are forks that share the launcher's memory: what is parsed here is parsed after the fork, and little is touched
 * afterwards, because every touched page counts for every task. Therefore it runs without `strict` and `warnings`, whose
 * modules are a tenth of it; the test compiles it with both.
 */
const LAUNCHER_SCRIPT = String.raw`
my $mark = shift @ARGV;
my $fifo = shift @ARGV;
my ($EXECVE, $EXIT, $SETSID, $PRCTL, $DUP3, $SETGROUPS, $SETRESGID, $SETRESUID, $SETITIMER, $MKNODAT, $PRLIMIT, $CLOSE_RANGE, $UNSHARE, $MOUNT, $MOUNT_SETATTR) = map { 0 + $_ } @ARGV;
my ($EINTR, $EAGAIN, $EINVAL, $F_SETFL) = (4, 11, 22, 4);
my (%shims, %dead);
# Of a task with a terminal: its ends, the task's stdout, and the pipes by which the shim is shown that.
my ($master, $slave, $log, @shown, @seen);
${PROCESS_PARTS}
${TERMINAL_PARTS}
${HELD_TERMINAL}
$0 = "mesos-launcher $mark";
close_inherited(3);
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = sub {
  while ((my $pid = waitpid(-1, 1)) > 0) {
    my $id = delete $shims{$pid};
    if (!defined $id) { $dead{$pid} = $? }
    elsif ($? != 0) { reply("X $id $?") }
  }
};
syscall($MKNODAT, -100, $fifo, 010600, 0) unless -p $fifo;
sysopen(my $launching, $fifo, 02) or die "cannot open $fifo: $!\n";

sub reply { syswrite(STDOUT, "$_[0]\n") }
sub leave { syscall($EXIT, 0 + $_[0]) }

sub own_start {
  # Its thread's: qemu-user makes one up for a process that reads its own, with another start time than everybody else sees.
  sysopen(my $file, "/proc/$$/task/$$/stat", 0) or return 0;
  sysread($file, my $text, 1024);
  return (split / /, substr($text, rindex($text, ')') + 2), 21)[19];
}

# What is to be read-only is bound onto itself in a mount namespace of the task's own. Returns what failed.
sub read_only {
  my ($none, $slave, $bind, $root) = ('none', 0x84000, 0x5000, '/');
  syscall($UNSHARE, 0x20000) == 0 or return 'unshare the mount namespace';
  syscall($MOUNT, $none, $root, $none, $slave, 0) == 0 or return 'keep mounts private';
  for my $path (@_) {
    syscall($MOUNT, $path, $path, $none, $bind, 0) == 0 or return "bind $path";
    # With all that is mounted below it, and whatever else holds there (nosuid, nodev) as it was: Linux 5.12.
    my $attributes = pack('Q4', 1, 0, 0, 0);
    syscall($MOUNT_SETATTR, -100, $path, 0x8000, $attributes, 32) == 0 or return "make $path read-only";
  }
  return '';
}

# The group is the task's own to share out, and all that it sees of control groups.
sub own_group {
  my ($fail, $uid, $gid, $group, $at) = @_;
  chown($uid, $gid, $group, map { "$group/cgroup.$_" } qw(procs threads subtree_control)) if $uid ne '';
  my ($none, $root) = ('none', '/');
  # CLONE_NEWCGROUP | CLONE_NEWNS, MS_REC | MS_SLAVE, MS_BIND
  syscall($UNSHARE, 0x02020000) == 0 or $fail->('make a cgroup namespace');
  syscall($MOUNT, $none, $root, 0, 0x84000, 0) == 0 or $fail->('make the mounts its own');
  syscall($MOUNT, $group, $at, 0, 0x1000, 0) == 0 or $fail->("mount $group at $at");
}

# In the task's process: becomes the task, or tells why not and ends.
sub become {
  my ($problem, $cwd, $uid, $gid, $groups, $out, $err, $rlimits, $group, $at, $control, $wished, $file, $argv, $environment) = @_;
  my $fail = sub { syswrite($problem, ($! + 0) . " $_[0]: $!"); leave(127) };
  # Perl itself ignores SIGFPE.
  $SIG{$_} = 'DEFAULT' for qw(PIPE ALRM FPE);
  syscall($SETSID);
  my $failed = enter_groups(@$control);
  $fail->($failed) if $failed ne '';
  my $place = place_of($cwd);
  own_group($fail, $uid, $gid, $group, $at) if $group ne '';
  my $writable = '';
  if (@$wished) {
    $failed = read_only(map { substr($_, 1) } @$wished);
    $writable = "$failed: $!" if $failed ne '';
    $fail->($failed) if $failed ne '' && grep { substr($_, 0, 1) eq '!' } @$wished;
  }
  go_to($place, $group ne '' || @$wished) or $fail->("chdir $cwd");
  for my $limit (split / /, $rlimits) {
    my ($resource, @values) = split /:/, $limit;
    my $pair = pack('Q2', map { $_ eq 'infinity' ? ~0 : $_ } @values);
    syscall($PRLIMIT, 0, 0 + $resource, $pair, 0) == 0 or $fail->("set resource limit $limit");
  }
  $failed = become_user($uid, $gid, $groups);
  $fail->($failed) if $failed ne '';
  # Not blocking, and files only: a FIFO in its place would hold the launch up for ever, a device would be written to.
  my ($stdout, $stderr) = map {
    sysopen(my $output, $_, 06101, 0644) or $fail->("open $_");
    -f $output or do { $! = $EINVAL; $fail->("open $_, which is no file") };
    fcntl($output, $F_SETFL, 02000);
    $output;
  } ($out, $err);
  if ($slave) {
    close($seen[1]);
    syswrite($shown[1], fileno($stdout) . "\n");
    sysread($seen[0], my $word, 1);
    ioctl($slave, $TIOCSCTTY, 0) or $fail->('take the terminal');
    ($stdout, $stderr) = ($slave, $slave);
    syscall($DUP3, fileno($slave), 0, 0);
  }
  syscall($DUP3, fileno($stdout), 1, 0);
  syscall($DUP3, fileno($stderr), 2, 0);
  syswrite(STDERR, "A volume that was to be read-only is writable: cannot $writable\n") if $writable ne '';
  my $reason = execute($file, $argv, $environment);
  $! = $reason;
  syswrite(STDERR, "Failed to execute '$file': $!\n");
  $! = $reason;
  $fail->("execute '$file'");
}

# Forks the process described by @_ (cwd to environment). Returns its pid and, when it could not start, why.
sub start {
  my @f = @_;
  pipe(my $read, my $write) or return (0, ($! + 0) . " pipe: $!");
  my $pid = fork();
  return (0, ($! + 0) . " fork: $!") unless defined $pid;
  if ($pid == 0) {
    my @plain = splice(@f, 0, 9);
    my @control = splice(@f, 0, shift @f);
    my @wished = splice(@f, 0, shift @f);
    my $file = shift @f;
    my @argv = splice(@f, 0, shift @f);
    become($write, @plain, \@control, \@wished, $file, \@argv, \@f);
  }
  close($write);
  # The stdout of a task with a terminal, as the task's user has opened it: nothing is opened there by name.
  if ($slave) {
    close($_) for $slave, $shown[1], $seen[0];
    my $number = readline($shown[0]);
    sysopen($log, "/proc/$pid/fd/" . (0 + $number), 06001) if defined $number;
    close($seen[1]);
  }
  my $problem = '';
  1 while !defined sysread($read, $problem, 4096) && $! == $EINTR;
  close($read);
  return ($pid, $problem);
}

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

sub save {
  my ($path, $text) = @_;
  sysopen(my $file, "$path.tmp", 01101, 0600) or return 0;
  return 0 unless syswrite($file, $text) == length($text);
  return rename("$path.tmp", $path);
}

sub shim {
  my ($id, $frame) = @_;
  $0 = "mesos-task $id";
  my ($dir, $ended, @f) = split /\0/, $frame, -1;
  my $own = own_start();
  if (!mkdir($dir, 0700) && (-e "$dir/processes" || !-d $dir)) { reply("F $id 0 mkdir $dir: $!"); leave(0) }
  my ($fate, $terminal) = splice(@f, 9, 2);
  my ($listener, $failed) = (undef, '');
  if ($terminal ne '') {
    ($master, $slave, $failed) = open_terminal($f[1], split / /, $terminal);
    $failed = "listen in $dir" if $failed eq '' && !($listener = listen_in($dir));
    $failed = 'pipe' if $failed eq '' && !(pipe($shown[0], $shown[1]) && pipe($seen[0], $seen[1]));
  }
  my ($pid, $problem) = $failed eq '' ? start(@f) : (0, ($! + 0) . " $failed: $!");
  if ($problem eq '') {
    my $text = "$$ $own $pid $fate\n";
    sysopen(my $file, "$dir/processes", 01101, 0600);
    if (syswrite($file, $text) != length($text)) {
      $problem = ($! + 0) . " write $dir/processes: $!";
      kill 'KILL', $pid;
    }
  }
  if ($problem ne '') { reply("F $id $problem"); leave(0) }
  reply("S $id $$ $own $pid");
  close($launching);
  syscall($DUP3, 0, $_, 0) for 1, 2;
  my $status;
  if ($master) { $status = hold_terminal($pid, $master, $log, $listener, "$dir/stop") }
  while (!defined $status) {
    if (waitpid(-1, 0) == $pid) { $status = $? }
  }
  end_leftovers("$dir/stop");
  select(undef, undef, undef, 0.5) until save("$dir/status", $status) || !-d $dir;
  link("$dir/status", "$ended/$id");
  leave(0);
}

sub run {
  my ($id, $frame) = @_;
  $0 = "mesos-run $id";
  close($launching);
  my ($milliseconds, @f) = split /\0/, $frame, -1;
  my $expired = 0;
  my ($pid, $problem) = start(@f);
  if ($problem ne '') { reply("F $id $problem"); leave(0) }
  # The timer repeats, so that a signal which comes just before the wait does not make the wait endless.
  $SIG{ALRM} = sub { $expired = 1; kill 'KILL', $pid };
  my $timer = pack('q4', 0, 200000, int($milliseconds / 1000), ($milliseconds % 1000) * 1000);
  syscall($SETITIMER, 0, $timer, 0) if $milliseconds > 0;
  my $status;
  while (!defined $status) {
    if (waitpid(-1, 0) == $pid) { $status = $? }
  }
  $SIG{ALRM} = 'IGNORE';
  end_leftovers('');
  reply("R $id " . ($expired ? 'timeout' : $status));
  leave(0);
}

my $buffer = '';
while (1) {
  while (length($buffer) >= 4) {
    my $size = unpack('N', $buffer);
    last if length($buffer) < 4 + $size;
    my ($verb, $id, $frame) = split /\0/, substr($buffer, 4, $size), 3;
    substr($buffer, 0, 4 + $size, '');
    my $pid = fork();
    if (!defined $pid) { reply("F $id " . ($! + 0) . " fork: $!"); next }
    if ($pid == 0) {
      $SIG{CHLD} = 'DEFAULT';
      syscall($SETSID);
      syscall($PRCTL, 36, 1, 0, 0, 0);
      open(STDIN, '+<', '/dev/null');
      $verb eq 'R' ? run($id, $frame) : shim($id, $frame);
    }
    $shims{$pid} = $id;
    if (defined(my $status = delete $dead{$pid})) {
      delete $shims{$pid};
      reply("X $id $status") if $status != 0;
    }
  }
  my $count = sysread(STDIN, $buffer, 65536, length($buffer));
  if (!defined $count) { next if $! == $EINTR; last }
  last if $count == 0;
}
leave(0);
`;

/** The numbers of the system calls that the script makes, in the order in which it takes them. */
const SYSTEM_CALLS: Readonly<Record<string, readonly number[]>> = {
  // execve exit_group setsid prctl dup3 setgroups setresgid setresuid setitimer mknodat prlimit64 close_range unshare mount mount_setattr
  x64: [59, 231, 112, 157, 292, 116, 119, 117, 38, 259, 302, 436, 272, 165, 442],
  arm64: [221, 94, 157, 167, 24, 159, 149, 147, 103, 33, 261, 436, 97, 40, 442],
};

/**
 * Arguments for `perl`. `mark` is shown in process lists, `fifo` is the path of the named pipe `launching`. Undefined
 * on an architecture whose system calls we do not know.
 */
export function launcherArguments(architecture: string, mark: string, fifo: string): string[] | undefined {
  const numbers = SYSTEM_CALLS[architecture];
  return numbers === undefined ? undefined : ["-e", LAUNCHER_SCRIPT, mark, fifo, ...numbers.map(String)];
}
