#!/usr/bin/env bash
# Installs what the tests of other tools need, beside what is in .venv, into build/readers: PyTorch,
# torchvision, Grain, webdataset, Hugging Face datasets and mlcroissant. They are large, and nothing
# else here needs them. What cannot be installed is one line, and its tests are skipped.
#
# PyTorch from PyPI is a CUDA build of several GB on Linux; its own index has one for the CPU. Another
# pair:  TORCH="torch==2.14.1 torchvision==0.29.1" tests/readers/install.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=build/readers
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt)
read -ra torch <<<"${TORCH:-torch==2.13.0 torchvision==0.28.0}"

if [ ! -x "$venv/bin/python" ]; then
    .venv/bin/python -m venv "$venv"
    # What .venv has is used and not installed again.
    .venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
        >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/outer.pth"
fi
"${pip[@]}" "${torch[0]}" || echo "reader tests: PyTorch could not be installed"
"${pip[@]}" --no-deps "${torch[@]:1}" || echo "reader tests: torchvision could not be installed"
"${pip[@]}" --requirement tests/readers/requirements.txt ||
    echo "reader tests: not all tools could be installed"
