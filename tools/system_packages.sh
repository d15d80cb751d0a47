#!/bin/sh
# The Debian packages that the project uses, installed when missing.
#   bubblewrap      the sandbox of the local adapter
#   iproute2        network namespaces and their routers (SRv6)
#   postgresql      the second engine of the store's test-suite
#   chromium, fonts the browser tests of the page, with Chinese glyphs
#   iproute2, nftables, iperf3   the lab of Linux routers
#   wireguard-go, wireguard-tools   the lab's encryption hop
#   slurmctld, slurmd, slurm-client, munge and its plugins   the cluster that the tests of the Slurm adapter start
# As root: installs what is missing. Else: prints the one line to run and goes on; what cannot run is skipped by name.
set -eu

missing=""
need() { # need PACKAGE PROBE...: PACKAGE is missing when the probe fails
  package=$1
  shift
  "$@" >/dev/null 2>&1 || missing="$missing $package"
}
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
on_system() { PATH=$PATH:/usr/sbin:/sbin command -v "$1"; }
postgres_server() { ls /usr/lib/postgresql/*/bin/initdb; }

need bubblewrap command -v bwrap
need iproute2 command -v ip
need postgresql postgres_server
need chromium command -v chromium
need fonts-noto-cjk installed fonts-noto-cjk
need nftables command -v nft
need iperf3 command -v iperf3
need wireguard-go command -v wireguard-go
need wireguard-tools command -v wg
need slurmctld on_system slurmctld
need slurmd on_system slurmd
need slurm-client command -v sbatch
need slurm-wlm-basic-plugins installed slurm-wlm-basic-plugins
need munge on_system munged
need python3-venv "${PYTHON:-python3}" -c 'import ensurepip, venv'
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "system: not found here:$missing; what needs them is skipped by name." >&2
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "system: some parts need packages that are missing. Run this, or go on without them:" >&2
  echo "  sudo apt-get install --yes --no-install-recommends$missing" >&2
  exit 0
fi

echo "system: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of words on purpose
if apt-get -q update </dev/null && apt-get -q install --yes --no-install-recommends $missing </dev/null; then
  exit 0
fi
echo "system: could not install$missing; what needs them is skipped by name." >&2
# A build that promises every test must not pass by skipping.
[ -z "${CI:-}" ]
