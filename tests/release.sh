#!/usr/bin/env bash
# Build the sdist and the wheel, and run the quick starts' commands with the wheel alone.
#
#     tests/release.sh PYTHON
#
# The wheel is installed into an empty environment, with the newest versions that it allows. There, in
# an empty folder, without the repository and with an empty home, the commands of docs/quickstart.md
# and docs/quickstart.ko.md run as they stand. Everything is made in $RELEASE (build/release if it is
# not set); the environment, 2 GB, is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

(( $# == 1 )) || { sed -n '4p' "$0" | sed 's/^# *//' >&2; exit 2; }
python=$(command -v "$1")
mkdir -p "${RELEASE:=build/release}"
release=$(cd "$RELEASE" && pwd)
label=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")')
venv=$release/venv-$label
trap 'rm -rf "$venv" "$release/work-$label"' EXIT

pip() { "$1/bin/python" -m pip --quiet --disable-pip-version-check "${@:2}"; }

# Once for all Pythons: the wheel is the same for each.
if [[ ! -d $release/dist || -n $(find fertools pyproject.toml MANIFEST.in README.md -newer "$release/dist" -print -quit) ]]
then
  rm -rf "$release/dist" "$release/tools"
  "$python" -m venv "$release/tools"
  pip "$release/tools" install build twine
  "$release/tools/bin/python" -m build --outdir "$release/dist" . &>"$release/build.log"
  "$release/tools/bin/python" -m twine check --strict "$release/dist"/*
  "$python" -m tests.released "$release/dist"
fi

rm -rf "$venv"
"$python" -m venv "$venv"
SECONDS=0
pip "$venv" install "$release/dist"/*.whl
pip "$venv" check
echo "== $label: installed in $SECONDS seconds, $(du -sh "$venv" | cut -f1)"

for page in docs/quickstart.md docs/quickstart.ko.md; do
  work=$release/work-$label
  rm -rf "$work"
  mkdir -p "$work/home" "$work/empty"
  "$python" -m tests.released "$page" >"$work/commands.sh"
  SECONDS=0
  (cd "$work/empty" && env -i HOME="$work/home" PATH="$venv/bin:/usr/bin:/bin" LANG=C.UTF-8 \
    bash -euxo pipefail "$work/commands.sh") >"$release/$label-$(basename "$page" .md).log" 2>&1 || {
    tail -20 "$release/$label-$(basename "$page" .md).log"
    echo "== $label: a command of $page failed; the whole log is in $release" >&2
    exit 1
  }
  echo "== $label: the commands of $page passed in $SECONDS seconds"
done
