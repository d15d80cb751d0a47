#!/usr/bin/env bash
# The binaries of a small real Kubernetes, for `make test-sites`: kube-apiserver, kube-controller-manager, kube-scheduler
# and kubelet, compiled from Debian's source package with Debian's Go. No package ships them built. Some ten minutes of one
# core the first time; afterwards it only prints the folder. Nothing is written into the checkout, and no source is
# added to the machine's list of packages.
#
#   tools/kubernetes.sh           prints the folder with the binaries
#   tools/kubernetes.sh --made    says by the exit status whether they are there
#   SUANWANG_CACHE=DIR            where it is kept; else $XDG_CACHE_HOME/suanwang, else ~/.cache/suanwang
set -euo pipefail

VERSION=1.20.2
CACHE=${SUANWANG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/suanwang}
ROOT=$CACHE/kubernetes-$VERSION
BIN=$ROOT/bin
PROGRAMS="kube-apiserver kube-controller-manager kube-scheduler kubelet"
PACKAGES="golang-go etcd-server containerd runc containernetworking-plugins busybox-static dpkg-dev openssl iproute2"

say() { echo "kubernetes.sh: $*" >&2; }

if [ "${1:-}" = --made ]; then
    test -e "$ROOT/built"
    exit
fi
if [ -e "$ROOT/built" ]; then
    echo "$BIN"
    exit 0
fi

mkdir -p "$ROOT"
exec 9>"$ROOT/lock"
flock 9 # a second caller waits for the first, and finds everything built
if [ -e "$ROOT/built" ]; then
    echo "$BIN"
    exit 0
fi

missing=""
for package in $PACKAGES; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        say "these packages are needed first: sudo apt-get install -y --no-install-recommends$missing"
        exit 3
    fi
    say "installing$missing"
    apt-get install -y --no-install-recommends $missing >&2
fi

if [ ! -e "$ROOT/source.tar.gz" ]; then
    say "fetching Debian's source package (35 MB)"
    mkdir -p "$ROOT/lists/partial" "$ROOT/fetched"
    # The machine's own mirrors, asked for sources: a list of our own, so that nothing of the machine's is changed.
    if [ -e /etc/apt/sources.list.d/debian.sources ]; then
        sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$ROOT/own.sources"
    else
        sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$ROOT/own.list"
    fi
    own="-o Dir::Etc::sourcelist=$(ls "$ROOT"/own.*) -o Dir::Etc::sourceparts=/dev/null -o Dir::State::Lists=$ROOT/lists"
    apt-get $own update >&2
    (cd "$ROOT/fetched" && apt-get $own source --download-only kubernetes >&2) # checks the signature of what it fetches
    mv "$ROOT"/fetched/kubernetes_*"$VERSION".orig.tar.gz "$ROOT/source.tar.gz"
    rm -rf "$ROOT/lists" "$ROOT/fetched"
fi

# As in the days of GOPATH: with modules, Go wants to change go.mod, and the vendored tree does not allow it.
export GOPATH=$ROOT/go GOCACHE=$ROOT/gocache GO111MODULE=off GOPROXY=off GOFLAGS=-p=${SUANWANG_BUILD_JOBS:-2} CGO_ENABLED=0
TREE=$GOPATH/src/k8s.io/kubernetes
if [ ! -d "$TREE" ]; then
    mkdir -p "$GOPATH/src/k8s.io"
    rm -rf "$TREE.new"
    mkdir "$TREE.new"
    tar xzf "$ROOT/source.tar.gz" --strip-components=1 -C "$TREE.new"
    mv "$TREE.new" "$TREE"
fi
cd "$TREE"
mkdir -p "$BIN"

if [ ! -e pkg/generated/openapi/zz_generated.openapi.go ]; then
    say "generating what the tarball leaves out"
    go build -o "$ROOT/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    folders=$(grep -rl --include='*.go' '+k8s:openapi-gen=' pkg vendor/k8s.io/*/ staging/src/k8s.io |
        grep -vE '/testdata/|kube-openapi|_test.go|code-generator|sample-|/test/' | xargs -n1 dirname |
        sed 's#^staging/src/##;s#^vendor/##;s#^pkg#k8s.io/kubernetes/pkg#' | sort -u | paste -sd,)
    "$ROOT/openapi-gen" --logtostderr -i "$folders" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
        -h hack/boilerplate/boilerplate.generatego.txt -o "$GOPATH/src" -r "$ROOT/violations.txt" >&2
fi

flags="-s -w"
for package in k8s.io/kubernetes/vendor/k8s.io/component-base/version k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version; do
    flags="$flags -X $package.gitVersion=v$VERSION -X $package.gitMajor=1 -X $package.gitMinor=20"
done
for program in $PROGRAMS; do
    [ -x "$BIN/$program" ] && continue
    say "compiling $program"
    go build -o "$BIN/$program.new" -ldflags "$flags" "./cmd/$program"
    mv "$BIN/$program.new" "$BIN/$program"
done

# 1.5 GB of sources and compiled packages have done their work.
cd /
chmod -R u+w "$GOPATH" "$GOCACHE"
rm -rf "$GOPATH" "$GOCACHE" "$ROOT/openapi-gen" "$ROOT/violations.txt"
touch "$ROOT/built"
say "built in $ROOT"
echo "$BIN"
