#!/bin/bash
# Installs what is missing from Debian: install-deps.sh LIST... where LIST is a file in deploy/packages.
#
# Nothing missing: ends at once, without apt. Not root, or not Debian: names what is missing in one line and goes on,
# for a build that needs only part of it. Services of the installed packages are neither started nor enabled: we want
# their programs, not a second nginx on port 80.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
policy=/usr/sbin/policy-rc.d
policy_saved=$policy.before-wiregauge

wanted() {
  local list
  for list in "$@"; do
    [[ -f $here/packages/$list ]] || { echo "install-deps: no list $list in deploy/packages" >&2; exit 2; }
    grep -Ehv '^(#|$)' "$here/packages/$list"
  done | sort -u
}

# Wanted packages that are not fully installed, one a line.
missing() {
  # A package dpkg has never heard of is no line on stdout and an error status: both are what we look for.
  # shellcheck disable=SC2016 # dpkg-query expands it
  comm -23 <(wanted "$@") <(wanted "$@" | xargs dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null |
    sed -n 's/^installed //p' | sort -u)
}

# invoke-rc.d and deb-systemd-invoke ask this program before they start anything; 101 = forbidden.
forbid_services() {
  [[ -e $policy || -L $policy ]] && mv "$policy" "$policy_saved"
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

allow_services() {
  if [[ -e $policy_saved || -L $policy_saved ]]; then
    mv -f "$policy_saved" "$policy"
  else
    rm -f "$policy"
  fi
}

# systemd would start at the next boot what a package enabled.
disable_services() {
  command -v systemctl >/dev/null || return 0
  local units
  units=$(comm -13 "$1" <(dpkg-query -W -f='${Package}\n' | sort) | xargs -r dpkg -L 2>/dev/null |
    sed -nE 's,^(/usr)?/lib/systemd/system/([^/@]+\.(service|timer|socket))$,\2,p' | sort -u)
  local unit
  for unit in $units; do
    systemctl is-enabled --quiet "$unit" 2>/dev/null || continue
    systemctl disable --quiet "$unit" && echo "install-deps: left $unit disabled"
  done
}

install_packages() {
  local before
  before=$(mktemp)
  dpkg-query -W -f='${Package}\n' | sort >"$before"
  # A run that was killed may have left its own policy behind; the saved one is the user's.
  [[ -e $policy_saved || -L $policy_saved ]] && allow_services
  trap 'allow_services; rm -f "'"$before"'"' EXIT
  trap 'exit 130' INT TERM HUP
  forbid_services
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -y -q -o DPkg::Lock::Timeout=300 install --no-install-recommends)
  # The index of a fresh container is empty, of an old machine stale: refresh it only when it does not do.
  "${apt[@]}" "$@" </dev/null || { apt-get -q update </dev/null && "${apt[@]}" "$@" </dev/null; }
  disable_services "$before"
}

main() {
  [[ $# -gt 0 ]] || { echo "usage: install-deps.sh LIST..." >&2; exit 2; }
  local packages
  if ! command -v dpkg-query >/dev/null; then
    mapfile -t packages < <(wanted "$@")
    echo "install-deps: not a Debian system; needed, by Debian's names: ${packages[*]}" >&2
    return 0
  fi
  mapfile -t packages < <(missing "$@")
  [[ ${#packages[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]]; then
    echo "install-deps: not root, going on without the missing packages: ${packages[*]}" >&2
    return 0
  fi
  echo "install-deps: installing ${packages[*]}"
  install_packages "${packages[@]}"
}

main "$@"
