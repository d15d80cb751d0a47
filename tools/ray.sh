#!/bin/sh
# Ray for `make test-sites`: in an environment of its own outside the checkout, made once (382 MB, about 80 s).
# Prints the folder of its programs. Nothing else of the machine is changed.
#
#   tools/ray.sh            install where it is missing, print the folder
#   tools/ray.sh --where    print the folder, install nothing
#   tools/ray.sh --made     say by the exit status whether it is installed
set -eu

VERSION=2.60.0
HOME_OF_IT=${SUANWANG_RAY_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/suanwang/ray-$VERSION}
[ "${1:-}" != --where ] || { echo "$HOME_OF_IT/bin"; exit 0; }
[ "${1:-}" != --made ] || { test -e "$HOME_OF_IT/.complete"; exit; }

if [ ! -e "$HOME_OF_IT/.complete" ]; then
  echo "ray.sh: installing Ray $VERSION into $HOME_OF_IT" >&2
  mkdir -p "$HOME_OF_IT"
  "${PYTHON:-python3}" -m venv "$HOME_OF_IT" >&2
  nice -n 10 "$HOME_OF_IT/bin/pip" install --quiet --disable-pip-version-check "ray[default]==$VERSION" >&2
  : >"$HOME_OF_IT/.complete"
fi
echo "$HOME_OF_IT/bin"
