# The kernel's tests: the probe's own on this kernel, then the whole program beside nginx and a counted load.
# shellcheck source=tests/kernels/guest/lib.sh
. /tests/lib.sh

server=10.213.7.1
group=/sys/fs/cgroup/observed

in_namespace() { # NAME COMMAND...: in the namespace and in the observed cgroup
  namespace=$1
  shift
  sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' $group nsenter "--net=/run/netns/$namespace" "$@"
}

make_place() {
  mkdir $group
  ip netns add a
  ip netns add b
  ip -n a link add wg0 type veth peer name wg0 netns b
  for side in a b; do
    ip -n $side link set lo up
    ip -n $side address add "10.213.7.$([ $side = a ] && echo 1 || echo 2)/24" dev wg0
    nsenter --net=/run/netns/$side ethtool -K wg0 tso off gso off gro off >/dev/null
    ip -n $side link set wg0 up
  done
}

start_nginx() {
  mkdir -p /tmp/nginx/files
  head -c 100000 /dev/zero >/tmp/nginx/files/big
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=guest -config /dev/null \
    -keyout /tmp/nginx/key.pem -out /tmp/nginx/certificate.pem 2>/dev/null
  cat >/tmp/nginx/nginx.conf <<'END'
worker_processes 1;
pid /tmp/nginx/pid;
error_log /tmp/nginx/error.log warn;
user root;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path /tmp/nginx/body;
  proxy_temp_path /tmp/nginx/proxy;
  fastcgi_temp_path /tmp/nginx/fastcgi;
  uwsgi_temp_path /tmp/nginx/uwsgi;
  scgi_temp_path /tmp/nginx/scgi;
  server {
    listen 80;
    listen 443 ssl;
    ssl_certificate /tmp/nginx/certificate.pem;
    ssl_certificate_key /tmp/nginx/key.pem;
    root /tmp/nginx/files;
    location = /ok { return 200 "hello"; }
    location = /created { return 201 "made"; }
    location = /missing { return 404 "none"; }
    location = /broken { return 500 "broken"; }
    location = /inside { return 200 "inside TLS"; }
  }
}
END
  in_namespace a nginx -e stderr -c /tmp/nginx/nginx.conf -p /tmp/nginx # returns when it listens
}

has_address() {
  address=$(sed -n 's/.*msg="Listening on" address=\([^ ]*\).*/\1/p' /tmp/wiregauge.log)
  [ -n "$address" ]
}

start_wiregauge() {
  wiregauge --web.listen-address=127.0.0.1:0 --exporter.cgroup=$group --storage.path=/tmp/data 2>/tmp/wiregauge.log &
  wiregauge=$!
  if await has_address && await wget -q -O /dev/null "http://$address/-/ready"; then
    pass starts
  else
    cat /tmp/wiregauge.log
    fail starts "not ready, see the console"
    return 1
  fi
}

test_attached() {
  wiregauge doctor --exporter.cgroup=$group >/tmp/doctor 2>&1
  same doctor $? 0
  cat /tmp/doctor
  fetch_metrics
  grep '^wiregauge_bpf_program_attached' "$scrape"
  same every_program_attached "$(grep -c '^wiregauge_bpf_program_attached{.* 0$' "$scrape")" 0
  [ "$(sum wiregauge_bpf_program_attached)" -ge 2 ] || fail some_program_attached "none is listed"
}

# Adds the run's payload bytes to what is expected in the end.
load() { # NAME OPTION...
  name=$1
  shift
  if in_namespace b http_load --host $server --port 80 --timeout 120 --send-bytes 300 \
    -r "GET /ok 200 5" -r "GET /missing 404 4" -r "GET /broken 500 6" -r "POST /created 201 4" -r "HEAD /ok 200 0" \
    "$@" >/tmp/load 2>/tmp/load.error; then
    pass "load_$name"
  else
    fail "load_$name" "$(cat /tmp/load.error)"
  fi
  requests=$((requests + $(number answered /tmp/load)))
  sent=$((sent + $(number sent_bytes /tmp/load)))
  received=$((received + $(number received_bytes /tmp/load)))
  opened=$((opened + $(number connections_opened /tmp/load)))
}

expect_requests() { # ROLE METHOD ROUTE STATUS COUNT
  expect "$1_$2_${3#/}_$4" "$5" "http_$1_request_duration_seconds_count" "http_request_method=\"$2\"" \
    "http_route=\"$3\"" "http_response_status_code=\"$4\""
}

test_exact_counts() {
  requests=0 sent=0 received=0 opened=0
  load one_connection -n 500 -c 1
  load connections -n 2000 -c 32
  load pipelined -n 2000 -c 8 -p 8
  load closing -n 500 -c 4 --close
  same requests_sent $requests 5000
  for role in server client; do
    expect_requests $role GET /ok 200 1000
    expect_requests $role GET /missing 404 1000
    expect_requests $role GET /broken 500 1000
    expect_requests $role POST /created 201 1000
    expect_requests $role HEAD /ok 200 1000
    same "${role}_no_other_request" "$(sum http_${role}_request_duration_seconds_count)" 5000
  done
}

test_tcp_totals() {
  expect server_received_bytes $sent wiregauge_tcp_received_bytes_total 'role="server"'
  expect server_sent_bytes $received wiregauge_tcp_sent_bytes_total 'role="server"'
  expect client_received_bytes $received wiregauge_tcp_received_bytes_total 'role="client"'
  expect client_sent_bytes $sent wiregauge_tcp_sent_bytes_total 'role="client"'
  for role in server client; do
    expect "${role}_opened" $opened wiregauge_tcp_connections_opened_total "role=\"$role\""
    expect "${role}_closed" $opened wiregauge_tcp_connections_closed_total "role=\"$role\""
  done
}

test_nothing_lost() {
  fetch_metrics
  grep '^wiregauge_events_lost_total' "$scrape"
  same events_lost "$(sum wiregauge_events_lost_total)" 0
  [ "$(sum wiregauge_events_total)" -ge 10000 ] || fail events_seen "$(sum wiregauge_events_total) events"
}

# Segments sent again on the server's open sockets, as the kernel says.
server_retransmits() {
  nsenter --net=/run/netns/a ss -tinHO state connected sport = :80 |
    sed -n 's/.* retrans:[0-9]*\/\([0-9]*\).*/\1/p' | awk '{ total += $1 } END { print total + 0 }'
}

all_acknowledged() {
  ! nsenter --net=/run/netns/a ss -tinHO state connected sport = :80 | grep -q ' unacked:'
}

# What was sent again between two readings, by the kernel's account of the sockets and by ours, while they are open.
compare_retransmits() { # NAME
  fetch_metrics
  before=$(sum wiregauge_tcp_retransmitted_segments_total 'role="server"')
  rm -f /tmp/hold /tmp/load
  mkfifo /tmp/hold
  in_namespace b http_load --host $server --port 80 -n 60 -c 3 -r "GET /big 200 100000" --timeout 120 --hold \
    </tmp/hold >/tmp/load 2>/tmp/load.error &
  loader=$!
  exec 9>/tmp/hold
  await grep -q '"stage":"done"' /tmp/load || fail "$1_load" "$(cat /tmp/load.error)"
  await all_acknowledged
  kernel=$(server_retransmits)
  echo "$1: $kernel segments sent again, says the kernel"
  expect "$1" $((before + kernel)) wiregauge_tcp_retransmitted_segments_total 'role="server"'
  [ "$kernel" -gt 0 ] || fail "$1_happened" "no segment was sent again"
  exec 9>&-
  wait $loader || fail "$1_load" "$(cat /tmp/load.error)"
}

test_lossy_link() {
  mkfifo /tmp/drop
  nsenter --net=/run/netns/b drop_nth --interface wg0 --every 40 --port 80 </tmp/drop >/tmp/dropped 2>&1 &
  dropper=$!
  exec 8>/tmp/drop
  await grep -q attached /tmp/dropped || fail drop_nth "$(cat /tmp/dropped)"
  compare_retransmits retransmits_drop_nth
  exec 8>&-
  wait $dropper || fail drop_nth "$(cat /tmp/dropped)"
}

test_netem() {
  if ! tc -n a qdisc add dev wg0 root netem loss 3% 2>/tmp/netem; then
    skip retransmits_netem "$(cat /tmp/netem)"
    return
  fi
  compare_retransmits retransmits_netem
  tc -n a qdisc del dev wg0 root
}

# The client is not observed: whoever is younger than wiregauge is so only a moment after its start.
test_tls() {
  for _ in 1 2 3; do
    for _ in 1 2 3 4 5 6 7 8 9; do printf 'GET /inside HTTP/1.1\r\nHost: guest\r\n\r\n'; done >/tmp/requests
    printf 'GET /inside HTTP/1.1\r\nHost: guest\r\nConnection: close\r\n\r\n' >>/tmp/requests
    nsenter --net=/run/netns/b openssl s_client -quiet -connect $server:443 </tmp/requests >/tmp/answers 2>/dev/null
    same tls_answers "$(grep -c 'inside TLS' /tmp/answers)" 10
  done
  expect_requests server GET /inside 200 30
  expect tls_not_encrypted 0 wiregauge_unparsed_bytes_total 'reason="encrypted"'
}

test_stops() {
  kill -TERM $wiregauge
  wait $wiregauge
  same stops_cleanly $? 0
}

gtest probe_live_test
make_place
start_nginx || fail nginx "$(cat /tmp/nginx/error.log)"
if start_wiregauge; then
  test_attached
  test_exact_counts
  test_tcp_totals
  test_nothing_lost
  test_lossy_link
  test_netem
  test_tls
  test_stops
  grep -E 'level=(warn|error)' /tmp/wiregauge.log
fi
echo "@@ done $results"
