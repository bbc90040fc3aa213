/**
 * How the process that the launcher or a shim has forked becomes the task: Perl, part of launcher-script.ts. It reads its frame where it
 * lies in $buffer, from $at to $end, each text with a NUL behind it. What it touches of memory is gone when it executes the task.
 */
export const TASK_PARTS = String.raw`
# The next so many texts of the frame.
sub texts {
  my @texts = unpack("\@$at (Z*)$_[0] .", $buffer);
  $at = pop @texts;
  return @texts;
}

# Their addresses, as execve takes them: of so many, or (-1) of all that are left. None is copied.
sub addresses {
  my ($left) = @_;
  my ($base, $list) = (unpack('J', pack('p', $buffer)), '');
  while ($at < $end && $left-- != 0) {
    $list .= pack('J', $base + $at);
    $at = index($buffer, "\0", $at) + 1;
  }
  return $list . pack('J', 0);
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
  my ($uid, $gid, $group, $place) = @_;
  chown($uid, $gid, $group, map { "$group/cgroup.$_" } qw(procs threads subtree_control)) if $uid ne '';
  my ($none, $root) = ('none', '/');
  # CLONE_NEWCGROUP | CLONE_NEWNS, MS_REC | MS_SLAVE, MS_BIND
  syscall($UNSHARE, 0x02020000) == 0 or fail('make a cgroup namespace');
  syscall($MOUNT, $none, $root, 0, 0x84000, 0) == 0 or fail('make the mounts its own');
  syscall($MOUNT, $group, $place, 0, 0x1000, 0) == 0 or fail("mount $group at $place");
}

# In the task's process: tells why it does not become the task, and ends.
sub fail {
  my $reason = ($! + 0) . " $_[0]: $!";
  syscall($WRITE, $problem, $reason, length($reason));
  leave(127);
}

# Not blocking, and files only: a FIFO in its place would hold the launch up for ever, a device would be written to.
sub output {
  my $output = syscall($OPENAT, $AT_CWD, $_[0], 06101 | $O_CLOEXEC, 0644);
  fail("open $_[0]") if $output < 0;
  syscall($FSTAT, $output, $text);
  if ((unpack("x$MODE_AT L", $text) & 0170000) != 0100000) { $! = $EINVAL; fail("open $_[0], which is no file") }
  syscall($FCNTL, $output, $F_SETFL, 02000);
  return $output;
}

# Changes what the process sees of files and groups, and goes to its folder there.
sub move {
  my ($cwd, $uid, $gid, $group, $place, @wished) = @_;
  my $writable = '';
  my $folder = place_of($cwd);
  own_group($uid, $gid, $group, $place) if $group ne '';
  if (@wished) {
    my $failed = read_only(map { substr($_, 1) } @wished);
    $writable = "$failed: $!" if $failed ne '';
    fail($failed) if $failed ne '' && grep { substr($_, 0, 1) eq '!' } @wished;
  }
  go_to($folder) or fail("chdir $cwd");
  return $writable;
}

sub limit {
  for my $limit (split / /, $_[0]) {
    my ($resource, @values) = split /:/, $limit;
    my $pair = pack('Q2', map { $_ eq 'infinity' ? ~0 : $_ } @values);
    syscall($PRLIMIT, 0, 0 + $resource, $pair, 0) == 0 or fail("set resource limit $limit");
  }
}

# In the task's process: becomes the task, or tells why not and ends. What it need not do it does not call.
sub become {
  (my ($cwd, $uid, $gid, $groups, $out, $err, $rlimits, $group, $place, $number), $at) = unpack("\@$at (Z*)10 .", $buffer);
  syscall($SIGACTION, $SIGPIPE, $default, 0, 8);
  syscall($SETSID);
  if ($number > 0 && ($failed = enter_groups(texts($number))) ne '') { fail($failed) }
  ($number, $at) = unpack("\@$at Z* .", $buffer);
  my $writable = '';
  if ($group ne '' || $number > 0) { $writable = move($cwd, $uid, $gid, $group, $place, texts($number)) }
  elsif (!chdir($cwd)) { fail("chdir $cwd") }
  if ($rlimits ne '') { limit($rlimits) }
  if ($uid ne '' && ($failed = become_user($uid, $gid, $groups)) ne '') { fail($failed) }
  my ($stdout, $stderr) = (output($out), output($err));
  if ($slave) {
    close($seen[1]);
    syswrite($shown[1], "$stdout\n");
    sysread($seen[0], my $word, 1);
    ioctl($slave, $TIOCSCTTY, 0) or fail('take the terminal');
    $stdout = $stderr = fileno($slave);
    syscall($DUP3, $stdout, 0, 0);
  }
  syscall($DUP3, $stdout, 1, 0);
  syscall($DUP3, $stderr, 2, 0);
  if ($writable ne '') { syswrite(STDERR, "A volume that was to be read-only is writable: cannot $writable\n") }
  (my $file, $number, $at) = unpack("\@$at (Z*)2 .", $buffer);
  my $argv = addresses($number);
  my $path = index($buffer, "\0PATH=", $at - 1);
  $path = $path >= 0 && $path < $end ? unpack("\@$path x6 Z*", $buffer) : undef;
  my $reason = execute($file, $path, $argv, addresses(-1));
  $! = $reason;
  syswrite(STDERR, "Failed to execute '$file': $!\n");
  $! = $reason;
  fail("execute '$file'");
}
`;
