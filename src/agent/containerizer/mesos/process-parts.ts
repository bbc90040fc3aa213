/**
 * What the launcher and a session's supervisor have in common: Perl for a process that becomes another one. It takes the numbers
 * of system calls from variables of the script around it ($EXECVE, $SETGROUPS, $SETRESGID, $SETRESUID, $CLOSE_RANGE).
 */
export const PROCESS_PARTS = String.raw`
# What the agent itself inherited without its knowledge reaches no task. Older kernels than 5.9: one by one.
sub close_inherited {
  my ($first) = @_;
  return if syscall($CLOSE_RANGE, $first, ~0 & 0xffffffff, 0) == 0;
  opendir(my $open, '/proc/self/fd') or return;
  for my $number (grep { /^\d+$/ && $_ >= $first } readdir($open)) {
    next if $number == fileno($open);
    if (open(my $inherited, "<&=$number")) { close($inherited) }
  }
}

# A container that shares its leaf out in groups of its own has no place for a process in it: a group beside those.
sub enter_beside {
  my ($group) = $_[0] =~ m{^(.*)/cgroup\.procs$} or return 0;
  mkdir("$group/agent", 0755);
  sysopen(my $members, "$group/agent/cgroup.procs", 01) or return 0;
  return defined syswrite($members, '0');
}

# Enters the groups of these cgroup.procs files. Returns what failed, as the next ones do that return text.
sub enter_groups {
  for my $path (@_) {
    sysopen(my $members, $path, 01) or return "open $path";
    # 16: EBUSY
    defined syswrite($members, '0') or ($! == 16 && enter_beside($path)) or return "write $path";
  }
  return '';
}

# A folder as it is seen now, for go_to. One that the agent holds is known by what it is.
sub place_of {
  my ($path) = @_;
  return [$path] unless $path =~ m{^/proc/\d+/fd/\d+$};
  my ($device, $inode) = stat($path);
  return [$path, readlink($path), "$device $inode"];
}

# True when that worked. For another mount namespace: a held folder is gone to by its name there, because its descriptor leads
# to the agent's mounts, in which nothing is read-only. The name may lead elsewhere there: then it is not gone to.
sub go_to {
  my ($path, $name, $identity) = @{$_[0]};
  return chdir($path) unless defined $identity;
  chdir($name) or return 0;
  my ($device, $inode) = stat('.');
  return 1 if "$device $inode" eq $identity;
  $! = 116; # ESTALE
  return 0;
}

sub become_user {
  my ($uid, $gid, $groups) = @_;
  return '' if $uid eq '';
  my @groups = split / /, $groups;
  my $list = pack('L*', @groups);
  syscall($SETGROUPS, scalar(@groups), $list) == 0 or return "setgroups $groups";
  syscall($SETRESGID, $gid + 0, $gid + 0, $gid + 0) == 0 or return "setgid $gid";
  syscall($SETRESUID, $uid + 0, $uid + 0, $uid + 0) == 0 or return "setuid $uid";
  return '';
}

# As execvpe(3), with lists of addresses for argv and environment. Returns the number of the error; otherwise not at all.
sub execute {
  my ($file, $path, $words, $variables) = @_;
  my $reason = 2; # ENOENT
  for my $candidate (index($file, '/') >= 0 ? $file : candidates($file, $path)) {
    syscall($EXECVE, $candidate, $words, $variables);
    my ($number, $ENOENT, $ENOEXEC, $ENOTDIR) = ($! + 0, 2, 8, 20);
    if ($number == $ENOEXEC) {
      my ($name, $shell) = ('sh', '/bin/sh');
      my $script = pack('p2', $name, $candidate) . substr($words, length(pack('J', 0)));
      syscall($EXECVE, $shell, $script, $variables);
    }
    $reason = $number if $number != $ENOENT && $number != $ENOTDIR;
  }
  return $reason;
}

sub candidates {
  my ($file, $path) = @_;
  $path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' unless defined $path;
  return map { ($_ eq '' ? '.' : $_) . "/$file" } split /:/, $path, -1;
}

sub children {
  if (open(my $list, '<', "/proc/$$/task/$$/children")) { return split / /, <$list> // '' }
  my @found;
  opendir(my $proc, '/proc') or return;
  for my $one (grep { /^\d+$/ } readdir($proc)) {
    sysopen(my $file, "/proc/$one/stat", 0) or next;
    sysread($file, my $text, 1024);
    push @found, $one if (split / /, substr($text, rindex($text, ')') + 2), 3)[1] == $$;
  }
  return @found;
}
`;
