# What a container lets its process do, one fact a line. Perl is on every Debian and calls any system call by its number.
use strict;
use warnings;

my $refused = { 1 => 1, 38 => 1 };    # EPERM, ENOSYS

open my $status, '<', '/proc/self/status' or die;
while (<$status>) {
    print "status $1 $2\n" if /^(Cap\w+|Seccomp|NoNewPrivs|Uid|Gid|Groups):\s*(.*?)\s*$/;
}

open my $mounts, '<', '/proc/self/mountinfo' or die;
while (<$mounts>) {
    my @fields = split ' ';
    my ($separator) = grep { $fields[$_] eq '-' } 0 .. $#fields;
    my %options = map { $_ => 1 } split /,/, $fields[5];
    my %super = map { $_ => 1 } split /,/, $fields[$separator + 3];
    my $ro = $options{ro} || $super{ro} ? 'ro' : 'rw';
    my @more = grep { $options{$_} } qw(nosuid nodev noexec);
    print "mount $fields[4] ", join(',', $ro, @more), "\n";
}

for my $path (glob '/dev/*') {
    next if -l $path;
    my @stat = stat $path or next;
    print "device $path\n" if -c _ || -b _;
}

# may a node of these be used, if one can be made
for my $node ('c 1 1', 'c 1 3', 'c 1 7', 'c 1 11', 'c 5 1', 'c 10 200', 'c 10 229', 'b 7 0', 'b 8 0', 'b 253 0', 'b 254 0') {
    my $path = '/probe-node';
    unlink $path;
    next if system("mknod $path $node 2>/dev/null") != 0;
    my $isOpen = open(my $handle, '<', $path) || $! == 6 || $! == 19;    # ENXIO, ENODEV: allowed, and nothing there
    print "node $node ", ($isOpen ? 'used' : 'refused'), "\n";
    unlink $path;
}

# each in a process of its own, all at once, with arguments that no call takes; sync(2) would wait for the whole machine
my %trials;
for my $number (grep { $_ != ($ENV{SYNC} // 162) } 0 .. 470) {
    $trials{"syscall $number"} = sub { syscall($number, (-1) x 6) };
}
for my $flag (qw(00020000 02000000 04000000 08000000 10000000 20000000 40000000)) {
    $trials{"call unshare-$flag"} = sub { syscall($ENV{UNSHARE} // 272, hex $flag) };
}
for my $family (1 .. 45) {
    $trials{"call socket-$family"} = sub { syscall($ENV{SOCKET} // 41, $family, 2, 0) };
}
for my $persona (qw(0 8 20000 20008 40000 ffffffff)) {
    $trials{"call personality-$persona"} = sub { syscall($ENV{PERSONALITY} // 135, hex $persona) };
}
my %pids = map { $_ => begin($trials{$_}) } keys %trials;
for my $name (keys %pids) {
    waitpid $pids{$name}, 0;
    print "$name ", ($? == 256 ? 'refused' : 'allowed'), "\n";
}

# ends with 1 when the call is refused, and by a signal when it is allowed as far as the filter goes
sub begin {
    my ($call) = @_;
    my $pid = fork // die;
    return $pid if $pid != 0;
    alarm 4; # hundreds at once: on a loaded machine one that is refused takes its time to be
    open STDERR, '>', '/dev/null';
    $! = 0;
    my $isRefused = $call->() == -1 && $refused->{ $! + 0 };
    kill 9, $$ unless $isRefused;
    require POSIX;
    POSIX::_exit(1);
}
