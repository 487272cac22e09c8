# Starting, finding and stopping servers on this machine, for scripts/cluster, scripts/demo and the tests. Sourced after lib.sh.
#
# shellcheck shell=bash
#
# Server ID of a cluster in FOLDER owns FOLDER/server-ID (its data), FOLDER/server-ID.log and FOLDER/server-ID.pid. Its ports
# are PEER_PORT + ID - 1 and CLIENT_PORT + ID - 1 on 127.0.0.1.

# Whether something accepts connections on that port of 127.0.0.1.
port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the first of COUNT adjacent ports that nobody listens on, below the range the kernel hands out by itself.
find_free_ports() {
  local count=$1 attempt base port free
  for attempt in {1..200}; do
    base=$((10000 + RANDOM % 20000))
    free=yes
    for ((port = base; port < base + count; port++)); do
      if port_is_taken "$port"; then free=no; fi
    done
    if [[ $free == yes ]]; then
      printf '%s' "$base"
      return
    fi
  done
  die "after $attempt attempts no $count free ports in a row were found on 127.0.0.1: is something holding them all?"
}

# The --cluster value of COUNT servers from PEER_PORT on.
cluster_list() {
  local count=$1 peer_port=$2 id list=''
  for ((id = 1; id <= count; id++)); do list+=",$id=127.0.0.1:$((peer_port + id - 1))"; done
  printf '%s' "${list#,}"
}

# The --endpoints value of COUNT servers from CLIENT_PORT on; a server named third comes first in it.
endpoint_list() {
  local count=$1 client_port=$2 first=${3:-} id list=''
  if [[ -n $first ]]; then list=",127.0.0.1:$((client_port + first - 1))"; fi
  for ((id = 1; id <= count; id++)); do
    if [[ $id != "$first" ]]; then list+=",127.0.0.1:$((client_port + id - 1))"; fi
  done
  printf '%s' "${list#,}"
}

# Prints the pid of a server that runs, or nothing. A pid that the kernel gave to some other program does not count.
server_pid() {
  local folder=$1 id=$2 pid='' name=''
  if [[ -s $folder/server-$id.pid ]]; then read -r pid <"$folder/server-$id.pid" || true; fi
  if [[ -n $pid && -r /proc/$pid/comm ]]; then read -r name 2>/dev/null <"/proc/$pid/comm" || true; fi
  if [[ $name == quorated ]]; then printf '%s' "$pid"; fi
}

# start_server FOLDER ID COUNT PEER_PORT CLIENT_PORT [OPTION...]: in a process group of its own, so that Ctrl-C in a terminal reaches the script
# and not the server.
start_server() {
  local folder=$1 id=$2 count=$3 peer_port=$4 client_port=$5
  shift 5
  setsid "$BIN/quorated" --id "$id" --data "$folder/server-$id" --cluster "$(cluster_list "$count" "$peer_port")" \
    --client "127.0.0.1:$((client_port + id - 1))" "$@" >>"$folder/server-$id.log" 2>&1 </dev/null 9>&- &
  local pid=$! attempt
  disown "$pid" # its death is for us to tell, not for the shell
  echo "$pid" >"$folder/server-$id.pid"
  # It has its name only once setsid has become it; until then server_pid would take it for somebody else's.
  for attempt in {1..500}; do
    if [[ -n $(server_pid "$folder" "$id") ]] || ! kill -0 "$pid" 2>/dev/null; then return; fi
    sleep 0.01
  done
}

# Waits until the cluster has a leader that a quorum confirms, or until a server ended, at most 30 seconds.
wait_for_cluster() {
  local folder=$1 count=$2 client_port=$3 id deadline=$((SECONDS + 30))
  until "$BIN/quorate" --endpoints "$(endpoint_list "$count" "$client_port")" --request-timeout 2s --json \
    cluster status >"$folder/status.json" 2>"$folder/status.err"; do
    for ((id = 1; id <= count; id++)); do
      [[ -n $(server_pid "$folder" "$id") ]] ||
        die "server $id ended at once; its last words: $(last_line "$folder/server-$id.log")"
    done
    ((SECONDS < deadline)) ||
      die "the servers found no leader in 30 seconds; their logs are in $folder. $(last_line "$folder/status.err")"
    sleep 0.05
  done
}

last_line() { tail -n 1 "$1" 2>/dev/null || true; }

# stop_server FOLDER ID: SIGTERM, so that leadership is handed over and the log is closed; SIGKILL after 15 seconds.
# Returns 1 when it had to be killed.
stop_server() {
  local folder=$1 id=$2 pid deadline=$((SECONDS + 15)) clean=0
  pid=$(server_pid "$folder" "$id")
  if [[ -n $pid ]]; then
    kill -TERM "$pid" 2>/dev/null || true
    while [[ -n $(server_pid "$folder" "$id") ]]; do
      if ((SECONDS >= deadline)); then
        warn "server $id (pid $pid) did not end within 15 seconds of SIGTERM and is killed; its log is $folder/server-$id.log"
        kill -KILL "$pid" 2>/dev/null || true
        clean=1
        deadline=$((SECONDS + 15))
      fi
      sleep 0.02
    done
  fi
  rm -f "$folder/server-$id.pid"
  return $clean
}

# stop_servers FOLDER COUNT: all of them, followers first or not: each is asked before any is waited for.
stop_servers() {
  local folder=$1 count=$2 id pid clean=0
  for ((id = 1; id <= count; id++)); do
    pid=$(server_pid "$folder" "$id")
    if [[ -n $pid ]]; then kill -TERM "$pid" 2>/dev/null || true; fi
  done
  for ((id = 1; id <= count; id++)); do stop_server "$folder" "$id" || clean=1; done
  return $clean
}

# The leader's id in what `quorate --json cluster status` printed; nothing without one.
leader_in() { sed -nE 's/^[^[]*"leader": *([0-9]+).*$/\1/p' "$1"; }
