/**
 * What the launcher and a session's supervisor have in common for terminals: Perl that makes one, and (for shims) holds one to its
 * task's end. $DUP3 and others are the numbers of system calls of the script around it.
 *
 * A shim that holds a terminal copies what its task says into the task's `stdout` and listens on the socket `terminal` in the
 * container's runtime folder, which the agent alone may enter. Who connects first says what for:
 *
 *   `O`  it is sent what the task says from then on
 *   `I`  frames follow: length of the rest (32 bit big-endian), then `D` and bytes to type, or `W` with rows and columns (16 bit each)
 */
export const TERMINAL_PARTS = `
my ($TIOCSPTLCK, $TIOCGPTN, $TIOCSWINSZ, $TIOCSCTTY, $O_NOCTTY) = (0x40045431, 0x80045430, 0x5414, 0x540E, 0400);
my ($TERMINAL_CHUNK, $TERMINAL_PATIENCE, $TERMINAL_CLIENTS) = (65536, 10, 256);

sub resize_terminal {
  my ($terminal, $rows, $columns) = @_;
  ioctl($terminal, $TIOCSWINSZ, pack('S4', $rows, $columns, 0, 0)) if $rows > 0 && $columns > 0;
}

# Both ends of a new one, of that user's; or what failed.
sub open_terminal {
  my ($uid, $rows, $columns) = @_;
  sysopen(my $master, '/dev/ptmx', 02 | $O_NOCTTY) or return (undef, undef, 'open /dev/ptmx');
  my $number = pack('i', 0);
  ioctl($master, $TIOCSPTLCK, $number) or return (undef, undef, 'unlock the terminal');
  ioctl($master, $TIOCGPTN, $number) or return (undef, undef, 'find the terminal');
  my $path = '/dev/pts/' . unpack('i', $number);
  sysopen(my $slave, $path, 02 | $O_NOCTTY) or return (undef, undef, "open $path");
  chown($uid, -1, $path) if $uid ne '';
  resize_terminal($master, $rows, $columns);
  return ($master, $slave, '');
}
`;

/** Only for shims. */
export const HELD_TERMINAL = String.raw`
# Listens in a folder: by a relative path, because those of sockets are short.
sub listen_in {
  my ($folder) = @_;
  socket(my $listener, 1, 1, 0) or return undef;
  chdir($folder) or return undef;
  my $before = umask(0177);
  my $bound = bind($listener, pack('S a*', 1, "terminal\0"));
  umask($before);
  chdir('/');
  return undef unless $bound && listen($listener, $TERMINAL_CLIENTS);
  fcntl($listener, $F_SETFL, 02 | 04000);
  return $listener;
}

# What a client sends that writes. False: it is gone, or says what is none.
sub take_frames {
  my ($client, $master) = @_;
  while (length($client->{in}) >= 4) {
    my $size = unpack('N', $client->{in});
    return 0 if $size < 1 || $size > 1048576;
    last if length($client->{in}) < 4 + $size;
    my ($verb, $rest) = unpack('a1 a*', substr($client->{in}, 4, $size));
    substr($client->{in}, 0, 4 + $size, '');
    if ($verb eq 'D') { $client->{typed} .= $rest }
    elsif ($verb eq 'W' && length($rest) == 4) { resize_terminal($master, unpack('n2', $rest)) }
    else { return 0 }
  }
  return 1;
}

# False when the client is gone.
sub hear {
  my ($client, $master) = @_;
  my $count = sysread($client->{socket}, $client->{in}, $TERMINAL_CHUNK, length($client->{in}));
  return $! == $EAGAIN || $! == $EINTR unless defined $count;
  return 0 if $count == 0;
  if ($client->{kind} eq '') {
    $client->{kind} = substr($client->{in}, 0, 1, '');
    return 0 unless $client->{kind} =~ /^[IO]$/;
  }
  return take_frames($client, $master) if $client->{kind} eq 'I';
  $client->{in} = '';
  return 1;
}

# False when the client is gone, or has taken nothing for too long: the task waits for it.
sub tell_more {
  my ($client) = @_;
  my $count = syswrite($client->{socket}, $client->{out});
  if (defined $count && $count > 0) {
    substr($client->{out}, 0, $count, '');
    $client->{since} = time();
    return 1;
  }
  return $! == $EAGAIN || $! == $EINTR;
}

# Holds the terminal until nothing of the task runs any more and all that it said is passed on. Returns the task's wait status.
sub hold_terminal {
  my ($pid, $master, $log, $listener, $stop) = @_;
  fcntl($master, $F_SETFL, 02 | 04000);
  $SIG{PIPE} = 'IGNORE';
  $SIG{CHLD} = sub { };
  my (@clients, $status, $alone, $drained);
  while (1) {
    while ((my $one = waitpid(-1, 1)) != 0) {
      if ($one < 0) { $alone = 1; last }
      $status = $? if $one == $pid;
    }
    kill_leftovers($stop) if defined $status && !$alone;
    my $owed = grep { $_->{out} ne '' } @clients;
    last if $alone && $drained && !$owed;
    my ($readable, $writable) = ('', '');
    # More wait until one goes: without a descriptor for it, one that waits would keep this busy.
    vec($readable, fileno($listener), 1) = 1 if @clients < $TERMINAL_CLIENTS;
    # Nothing is read before everybody has what was.
    vec($readable, fileno($master), 1) = 1 unless $owed || $drained;
    vec($writable, fileno($master), 1) = 1 if grep { $_->{typed} ne '' } @clients;
    for my $client (@clients) {
      vec($readable, fileno($client->{socket}), 1) = 1 if $client->{typed} eq '';
      vec($writable, fileno($client->{socket}), 1) = 1 if $client->{out} ne '';
    }
    my $count = select($readable, $writable, undef, defined $status ? 0.02 : 1);
    ($readable, $writable) = ('', '') if $count <= 0;
    if (vec($readable, fileno($listener), 1) && accept(my $socket, $listener)) {
      fcntl($socket, $F_SETFL, 02 | 04000);
      push @clients, { socket => $socket, kind => '', in => '', out => '', typed => '', since => time() };
    }
    for my $client (@clients) {
      my $socket = fileno($client->{socket});
      if ($client->{typed} eq '' && vec($readable, $socket, 1)) { $client->{gone} = 1 unless hear($client, $master) }
      if ($client->{out} ne '' && vec($writable, $socket, 1)) { $client->{gone} = 1 unless tell_more($client) }
      if ($client->{typed} ne '' && vec($writable, fileno($master), 1)) {
        my $typed = syswrite($master, $client->{typed});
        substr($client->{typed}, 0, $typed, '') if defined $typed;
      }
      $client->{gone} = 1 if $client->{out} ne '' && time() - $client->{since} > $TERMINAL_PATIENCE;
    }
    # What was typed by one that is gone is typed all the same, but only by the first of them: a task that reads nothing costs no more.
    my $kept = 0;
    @clients = grep { !$_->{gone} || ($_->{typed} ne '' && !$kept++) } @clients;
    if (!$owed && !$drained && ($alone || vec($readable, fileno($master), 1))) {
      # A terminal gives some 4 KiB at once.
      my ($piece, $said) = ('', undef);
      do { $said = sysread($master, $piece, $TERMINAL_CHUNK, length($piece)) } while $said && length($piece) < $TERMINAL_CHUNK;
      my $reason = $! + 0;
      if ($piece ne '') {
        syswrite($log, $piece) if $log;
        for my $client (grep { $_->{kind} eq 'O' && !$_->{gone} } @clients) { $client->{out} = $piece; $client->{since} = time() }
      }
      # Of a terminal that nobody has open reading fails; as long as somebody lives, that may be another one soon.
      elsif ($alone && (defined $said || $reason != $EINTR)) { $drained = 1 }
      elsif (!defined $said && $reason != $EAGAIN && $reason != $EINTR) { select(undef, undef, undef, 0.02) }
    }
  }
  return $status;
}
`;
