#!/bin/sh
# install.sh PYTHON VENV: the virtual environment with every locked dependency, each checked by hash.
set -eu
python=$1
venv=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "install: Suanwang needs Python 3.11 or newer; '$python' is $("$python" --version 2>&1)." >&2
  echo "install: name another one: make setup PYTHON=/path/to/python3.11" >&2
  exit 1
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --require-hashes -r tools/bootstrap.lock
# Compiled to bytecode once, here: else each process compiles all that it imports where no import may write it down
# (PYTHONDONTWRITEBYTECODE, a read-only sandbox), which takes longer than most commands.
"$venv/bin/uv" pip install -q --compile-bytecode --python "$venv/bin/python" --require-hashes -r requirements.lock
# The package itself, in place; its build backend is in the lock, so nothing unpinned is fetched.
"$venv/bin/uv" pip install -q --python "$venv/bin/python" --no-deps --no-build-isolation -e .
