#!/bin/bash
# What is to hold on a machine with cgroup v2 and nothing else; a line each, `ok` or `not ok`. The machine's clock counts its
# instructions (run.sh), so what is said in seconds holds however busy the host is.
# What is missing here fails: a test that skipped itself would not be seen.
export CI=true
cd /project
echo "FACTS $(node tools/platform-facts.ts 2> /dev/null)"
failures=0
say() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failures=$((failures + 1)); fi; }
wait_for() { local i; for i in $(seq "$1"); do eval "$2" && return 0; sleep 1; done; return 1; }
now() { cut -d' ' -f1 /proc/uptime; }
cgroup=/sys/fs/cgroup
echo "+cpu +memory +pids +io" > $cgroup/cgroup.subtree_control
dd if=/dev/zero of=/swap bs=1M count=64 2> /dev/null && chmod 600 /swap && mkswap /swap > /dev/null && swapon /swap

# in_group GROUP COMMAND…: as a container runtime starts it.
in_group() { local group=$1; shift; mkdir -p $cgroup/$group; ( echo $BASHPID > $cgroup/$group/cgroup.procs; exec "$@" ); }
# With a cgroup namespace of its own, and somebody who starts it again, as supervisord does: in the group that it was moved to.
own='umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "$@"; "$@"'
agent=(node dist/mesos-slave.js --master=local --ip=127.0.0.1 --hostname=127.0.0.1 --isolation=cgroups/cpu,cgroups/mem,cgroups/pids
  --cgroups_enable_cfs --cgroups_pids_limit=200 --containerizers=mesos "--resources=cpus:4;mem:1000")
execute() { timeout 400 node dist/mesos-execute.js --master=127.0.0.1:5050 --checkpoint "$@"; }
page() { exec 3<> /dev/tcp/127.0.0.1/5051; printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3; cat <&3; exec 3>&-; }
agent_pid() { pgrep -f "^node dist/mesos-slave.js.*work_dir=/tmp/$1"; }

# tried NAME PREFIX: the agent of this name runs; its groups lie below PREFIX.
tried() {
  local name=$1 prefix=$2 groups
  wait_for 200 "grep -qa 'Registered\|registered with' /tmp/$name.log" ; say $? "$name: registers"
  groups=$(echo $prefix/mesos/*/)
  say $([ "$(cat $groups/cgroup.subtree_control)" = "cpu memory pids" ]; echo $?) "$name: cpu, memory and pids are handed down"
  say $([ "$(cat $groups/cgroup.type)" = domain ]; echo $?) "$name: nothing became threaded"
}

# tests NAME FILE OPTION…: a test file, by vitest; a line for each test, and the figures that they print.
tests() {
  local name=$1 file=$2 log=/tmp/tests-${1// /-}.log; shift 2
  node node_modules/vitest/vitest.mjs run --config test/platforms/vm/vitest.config.ts --reporter=tap-flat --disableConsoleIntercept "$file" "$@" > $log 2>&1 ||
    failures=$((failures + 1))
  sed -nE "/# SKIP/d; s/^(not )?ok [0-9]+ - (.* > )?(.*) # time.*/\1ok $name: \3/p; s/^.*figure: /ok $name: /p" $log
  grep -qa '^ok ' $log || say 1 "$name: its tests run"
  ! grep -qa '^not ok' $log || tail -n 60 $log
}

SHORT_TASKS=1000 tests "cgroup tests" test/integration/mesos-containerizer-cgroups.test.ts
tests "cgroup v2" test/platforms/vm/unified.test.ts
tests "Docker" test/integration/docker.test.ts -t "reports usage"

in_group docker-private unshare -C -m bash -c "$own" own "${agent[@]}" --work_dir=/tmp/private --runtime_dir=/tmp/private-run \
  > /tmp/private.log 2>&1 &
pid=$!
tried private $cgroup/docker-private
execute --name=oom "--resources=cpus:1;mem:32" --command='perl -e "my \$x = q(a) x (200 * 1024 * 1024); sleep 100"' > /tmp/oom.out 2>&1
grep -qa 'Memory limit exceeded' /tmp/oom.out
say $? "private: the task's OOM is told, $(grep -ao 'Requested: [^ ]* Maximum Used: [0-9A-Z]*' /tmp/oom.out | head -1)"
execute --name=child "--resources=cpus:1;mem:32" --command='perl -e "my \$x = q(a) x (200 * 1024 * 1024)"; sleep 100' > /tmp/child.out 2>&1
grep -qa 'Memory limit exceeded' /tmp/child.out
say $? "private: a child's OOM is told, $(grep -ao 'Requested: [^ ]* Maximum Used: [0-9A-Z]*' /tmp/child.out | head -1)"

execute --name=bomb "--resources=cpus:1;mem:200" --command='i=0; while [ $i -lt 1000 ]; do (sleep 1000 &); i=$((i+1)); done; sleep 1000' > /tmp/bomb.out 2>&1 & execute=$!
wait_for 120 "[ \"\$(cat $cgroup/docker-private/mesos/*/*/pids.current 2> /dev/null)\" = 200 ]"; say $? "private: 1,000 forks are held to 200"
page /monitor/statistics > /tmp/statistics
grep -qa '"mem_events":{.*"cpu_pressure":{"some":{"avg10"' /tmp/statistics; say $? "private: memory events and pressure are in /monitor/statistics"
kill -9 "$(agent_pid private)"
wait_for 200 "grep -qa 'Recovered container' /tmp/private.log"; say $? "private: after kill -9 the container is recovered, in its group"
kill $execute; t0=$(now)
# The development master went with the agent: the order to end comes by the signal that shuts an agent down.
kill -USR1 "$(agent_pid private)"
wait_for 60 "! ls -d $cgroup/docker-private/mesos/*/*/ > /dev/null 2>&1"; gone=$?
seconds=$(echo "$(now) $t0" | awk '{ printf "%.1f", $1 - $2 }')
say $([ $gone = 0 ] && [ "${seconds%.*}" -lt 5 ]; echo $?) "private: the bomb is gone with its group, after $seconds s"
kill -9 $pid 2> /dev/null

in_group docker-host "${agent[@]}" --work_dir=/tmp/host --runtime_dir=/tmp/host-run > /tmp/host.log 2>&1 &
tried host $cgroup
execute --name=host "--resources=cpus:1;mem:32" --command='cat /proc/self/cgroup' > /tmp/host.out 2>&1
grep -qa '^0::/mesos/.*/leaf' /tmp/host.out; say $? "host: a task runs in its leaf"
kill -9 "$(agent_pid host)"; wait_for 10 "! agent_pid host > /dev/null"

in_group deleg "${agent[@]}" --cgroups_root=deleg/mesos --work_dir=/tmp/deleg --runtime_dir=/tmp/deleg-run > /tmp/delegated.log 2>&1 &
tried delegated $cgroup/deleg
say $([ "$(cat $cgroup/deleg/agent/cgroup.procs | wc -l)" -ge 1 ] && [ -z "$(cat $cgroup/deleg/cgroup.procs)" ]; echo $?) "delegated: the agent moved into a leaf"
kill -9 "$(agent_pid deleg)"

[ $failures = 0 ] || tail -n 25 /tmp/private.log /tmp/host.log /tmp/delegated.log /tmp/*.out /tmp/statistics
exit $failures
