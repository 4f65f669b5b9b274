"""Pack data, scripts and styles into one page, with its content security policy.

    columns of the ledger ──JSON──gzip──base64──▶ <script type="application/gzip">
    64 thumbnails each ────────────────base64──▶ <script type="text/plain" id="pack-7">

A browser neither parses nor runs such scripts: megabytes of them cost no start-up time, and text
in them can start nothing. The policy of the page allows its own script and style, by their SHA-256,
and pictures that are in the page; nothing can be loaded and nothing can be sent.
"""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

#: Thumbnails in one script: 50 kB of base64, which a browser keeps as one text.
PACK: Final = 64

#: Characters that could end a script or a line of it, as escapes of JSON.
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def page(parts: Mapping[str, str]) -> str:
    """Fill the frame with named parts; style, script and policy are added."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        "default-src 'none'; img-src blob: data:; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    filled = {**parts, "style": style, "script": script, "policy": policy}
    return re.sub(r"<!--(\w+)-->", lambda match: filled[match[1]], _asset("page.html"))


def inert_json(tree: Any) -> str:
    """Return JSON for an inert script: no character of it can end the script."""
    return json.dumps(tree, ensure_ascii=False).translate(_ESCAPES)


def packed_json(tree: Any) -> str:
    """Return JSON as base64 of gzip; equal trees, equal text."""
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    data = text.encode("utf-8", "backslashreplace")
    return b64encode(gzip.compress(data, mtime=0)).decode("ascii")


def packs(pictures: Sequence[bytes]) -> tuple[list[int], Iterator[str]]:
    """Return the length of each picture as base64, and scripts with `PACK` pictures each.

    A row without a picture has b"".
    """
    texts = [b64encode(picture).decode("ascii") for picture in pictures]
    scripts = (
        f'<script type="text/plain" id="pack-{first // PACK}">'
        f"{''.join(texts[first : first + PACK])}</script>"
        for first in range(0, len(texts), PACK)
    )
    return [len(text) for text in texts], scripts


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}"


def _asset(name: str) -> str:
    return files("fertools.reporting").joinpath(name).read_text("utf-8")
