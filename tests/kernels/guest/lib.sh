# For main.sh: results on the console as run.py reads them, the place of a test, and figures out of /metrics. busybox sh.

results=0
scrape=/tmp/scrape
address= # of wiregauge, once it listens

pass() {
  results=$((results + 1))
  echo "@@ pass $1"
}

fail() { # NAME WHY
  results=$((results + 1))
  echo "@@ fail $1: $2"
}

skip() { # NAME WHY
  results=$((results + 1))
  echo "@@ skip $1: $2"
}

same() { # NAME GOT WANT
  if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got $2, want $3"; fi
}

# Until the command succeeds; 1 after 20 seconds. What it waits for is another process' doing, with no other signal.
await() {
  tries=100
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.2
  done
}

# The number behind "KEY": in a line of JSON; keys are unique in http_load's and drop_nth's.
number() { # KEY FILE
  sed -n "\$s/.*\"$1\":\([0-9]*\).*/\1/p" "$2"
}

# Each case of a GoogleTest program is a result of ours.
gtest() { # PROGRAM
  "$1" --gtest_color=no >/tmp/gtest 2>&1
  status=$?
  cat /tmp/gtest
  cases=0
  while read -r line; do
    name=$(echo "$line" | sed -n 's/^\[ *\(OK\|FAILED\|SKIPPED\) *\] \([^ ,]*\)\(, .*\)\? ([0-9]* ms)$/\2/p')
    [ -n "$name" ] || continue
    cases=$((cases + 1))
    case $line in
      *OK*) pass "$name" ;;
      *SKIPPED*) skip "$name" "see the console" ;;
      *) fail "$name" "see the console" ;;
    esac
  done </tmp/gtest
  [ "$cases" -gt 0 ] || fail "$1" "no test ran"
  [ "$status" = 0 ] || fail "$1" "exit status $status"
}

fetch_metrics() {
  wget -q -O "$scrape" "http://$address/metrics"
}

# Sum over the family's samples whose labels contain each of the given texts, for example role="server".
sum() { # FAMILY LABEL...
  family=$1
  shift
  awk -v family="$family" -v wanted="$*" '
    BEGIN { count = split(wanted, want, " ") }
    index($0, family "{") == 1 || index($0, family " ") == 1 {
      for (i = 1; i <= count; i++) if (!index($0, want[i])) next
      total += $NF
    }
    END { printf "%.0f\n", total }' "$scrape"
}

reached() { # WANT FAMILY LABEL...
  want=$1
  shift
  fetch_metrics && got=$(sum "$@") && [ "$got" -ge "$want" ]
}

# The sum comes to WANT within the time that await gives, and not past it.
expect() { # NAME WANT FAMILY LABEL...
  name=$1
  shift
  got=none
  await reached "$@"
  same "$name" "$got" "$1"
}
