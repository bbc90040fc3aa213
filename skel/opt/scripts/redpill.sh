#!/bin/sh
# The watchdog. `--help` lists the flags. supervisord runs it as an event listener; by hand it polls.
exec "${0%/opt/scripts/*}/opt/mesos-slave/run" redpill "$@"
