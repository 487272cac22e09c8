# What the tests of applications share: a cluster of their own, or one that is given; waiting with a limit; cleaning up.
#
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
source "$ROOT/scripts/servers.sh"

folder=$(mktemp -d)
own_cluster=
client_port=0
peer_port=0
at_exit() { :; } # what the test itself has to stop

clean_up() {
  local status=$?
  at_exit
  # A server that does not end by itself is a fault, whatever the clients saw.
  if [[ -n $own_cluster ]] && ! stop_servers "$folder" 3 && ((status == 0)); then status=1; fi
  if ((status == 0)); then rm -rf "$folder"; else warn "logs are in $folder"; fi
  exit "$status"
}
trap clean_up EXIT

step() { say "${BOLD}$*${PLAIN}"; }

# Sets `endpoints`: of --zookeeper HOST:PORT,... or of three servers that are started here.
use_cluster() {
  if [[ ${1:-} == --zookeeper ]]; then
    endpoints=${2:?--zookeeper needs HOST:PORT,...}
    return
  fi
  peer_port=$(find_free_ports 3)
  client_port=$(find_free_ports 3)
  own_cluster=yes
  local id
  for id in 1 2 3; do start_server "$folder" "$id" 3 "$peer_port" "$client_port"; done
  wait_for_cluster "$folder" 3 "$client_port"
  endpoints=$(endpoint_list 3 "$client_port")
}

leader_id() {
  "$BIN/quorate" --endpoints "$endpoints" --json cluster status >"$folder/leader.json" 2>/dev/null || return 1
  leader_in "$folder/leader.json"
}

# Kills the leader of our cluster, waits until another leads, and starts it again.
kill_leader() {
  local id
  id=$(leader_id)
  kill -KILL "$(server_pid "$folder" "$id")"
  another_leads() { [[ $(leader_id) == [^"$id"] ]]; }
  wait_until 30 "another server leads than $id" another_leads
  start_server "$folder" "$id" 3 "$peer_port" "$client_port"
}

# wait_until SECONDS WHAT COMMAND...: asks until the command succeeds; ends the test after so many seconds.
wait_until() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < end)) || die "not within the time: $what"
    sleep 0.2
  done
  say "  $what"
}
