#!/usr/bin/env bash
# Installs what the browser tests need: Playwright's Python package, the system's Chromium and, for
# accessibility, axe-core. What cannot be installed is one line, and its tests are skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
chromium=${CHROMIUM:-/usr/bin/chromium}

.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --constraint constraints-test.txt --editable '.[browser]' ||
    echo "browser tests: Playwright could not be installed"

if [ ! -x "$chromium" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium fonts-noto-cjk; } \
        >/dev/null || echo "browser tests: apt-get could not install chromium"
fi
[ -x "$chromium" ] || echo "browser tests: no browser at $chromium: install Chromium, or set CHROMIUM"

axe=build/browser/node_modules/axe-core/axe.min.js
if [ ! -f "$axe" ]; then
    npm install --silent --no-fund --no-audit --prefix build/browser axe-core@4.14.1 ||
        echo "browser tests: npm could not install axe-core: accessibility is not tested"
fi
