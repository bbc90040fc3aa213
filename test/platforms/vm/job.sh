#!/bin/bash
# What is to hold on a machine with cgroup v2 and nothing else; a line each, `ok` or `not ok`. Times are generous: the
# processor is emulated.
cd /project
echo "FACTS $(node platform-facts.ts 2> /dev/null)"
failures=0
say() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failures=$((failures + 1)); fi; }
wait_for() { local i; for i in $(seq "$1"); do eval "$2" && return 0; sleep 1; done; return 1; }
cgroup=/sys/fs/cgroup
echo "+cpu +memory +pids" > $cgroup/cgroup.subtree_control

# in_group GROUP COMMAND…: as a container runtime starts it.
in_group() { local group=$1; shift; mkdir -p $cgroup/$group; ( echo $BASHPID > $cgroup/$group/cgroup.procs; exec "$@" ); }
# With a cgroup namespace of its own, and somebody who starts it again, as supervisord does: in the group that it was moved to.
own='umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "$@"; "$@"'
agent=(node dist/mesos-slave.js --master=local --ip=127.0.0.1 --hostname=127.0.0.1 --isolation=cgroups/cpu,cgroups/mem,cgroups/pids
  --cgroups_enable_cfs --cgroups_pids_limit=200 --containerizers=mesos "--resources=cpus:4;mem:1000")
execute() { timeout 400 node dist/mesos-execute.js --master=127.0.0.1:5050 --checkpoint "$@"; }

# tried NAME PREFIX: the agent of this name runs; its groups lie below PREFIX.
tried() {
  local name=$1 prefix=$2 groups
  wait_for 200 "grep -qa 'Registered\|registered with' /tmp/$name.log" ; say $? "$name: registers"
  groups=$(echo $prefix/mesos/*/)
  say $([ "$(cat $groups/cgroup.subtree_control)" = "cpu memory pids" ]; echo $?) "$name: cpu, memory and pids are handed down"
  say $([ "$(cat $groups/cgroup.type)" = domain ]; echo $?) "$name: nothing became threaded"
}

in_group docker-private unshare -C -m bash -c "$own" own "${agent[@]}" --work_dir=/tmp/private --runtime_dir=/tmp/private-run \
  > /tmp/private.log 2>&1 &
pid=$!
tried private $cgroup/docker-private
execute --name=burn "--resources=cpus:0.25;mem:64" --kill_after=60secs \
  --command='while :; do :; done' > /tmp/burn.out 2>&1 & execute=$!
wait_for 120 "ls -d $cgroup/docker-private/mesos/*/*/ > /dev/null 2>&1"; sleep 5
group=$(echo $cgroup/docker-private/mesos/*/*/)
used() { sed -n 's/^usage_usec //p' $group/cpu.stat; }
before=$(used); t0=$(date +%s%N); sleep 20; after=$(used); t1=$(date +%s%N)
permille=$(( (after - before) * 1000000 / (t1 - t0) ))
say $([ $permille -ge 225 ] && [ $permille -le 275 ]; echo $?) "private: 0.25 cpu is 0.$permille"
wait $execute; tail -2 /tmp/burn.out

execute --name=oom "--resources=cpus:1;mem:32" --command='perl -e "my \$x = q(a) x (200 * 1024 * 1024); sleep 100"' > /tmp/oom.out 2>&1
grep -qa 'Memory limit exceeded' /tmp/oom.out; say $? "private: the task's OOM is told with figures"
grep -a 'Memory limit exceeded' /tmp/oom.out | head -1
execute --name=child "--resources=cpus:1;mem:32" --command='perl -e "my \$x = q(a) x (200 * 1024 * 1024)"; sleep 100' > /tmp/child.out 2>&1
grep -qa 'Memory limit exceeded' /tmp/child.out; say $? "private: a child's OOM is told"

execute --name=bomb "--resources=cpus:1;mem:200" --command='i=0; while [ $i -lt 1000 ]; do (sleep 1000 &); i=$((i+1)); done; sleep 1000' > /tmp/bomb.out 2>&1 & execute=$!
wait_for 120 "[ \"\$(cat $cgroup/docker-private/mesos/*/*/pids.current 2> /dev/null)\" = 200 ]"; say $? "private: 1,000 forks are held to 200"
agent_pid() { pgrep -f "^node dist/mesos-slave.js.*work_dir=/tmp/$1"; }
kill -9 "$(agent_pid private)"
wait_for 200 "grep -qa 'Recovered container' /tmp/private.log"; say $? "private: after kill -9 the container is recovered, in its group"
kill $execute; t0=$(date +%s)
# The development master went with the agent: the order to end comes by the signal that shuts an agent down.
kill -USR1 "$(agent_pid private)"
wait_for 60 "! ls -d $cgroup/docker-private/mesos/*/*/ > /dev/null 2>&1"; say $? "private: the bomb is gone with its group, after $(( $(date +%s) - t0 )) s"
kill -9 $pid 2> /dev/null

in_group deleg "${agent[@]}" --cgroups_root=deleg/mesos --work_dir=/tmp/deleg --runtime_dir=/tmp/deleg-run > /tmp/delegated.log 2>&1 &
pid=$!
tried delegated $cgroup/deleg
say $([ "$(cat $cgroup/deleg/agent/cgroup.procs | wc -l)" -ge 1 ] && [ -z "$(cat $cgroup/deleg/cgroup.procs)" ]; echo $?) "delegated: the agent moved into a leaf"
kill -9 "$(agent_pid deleg)"

[ $failures = 0 ] || tail -n 25 /tmp/private.log /tmp/delegated.log /tmp/*.out
exit $failures
