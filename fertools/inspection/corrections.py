"""Compare the corrections in a ledger with the class of each photo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from fertools.dataset.manifest import Manifest
from fertools.inspection.ledger_rows import LedgerRows

#: The most rows that are named.
_MOST: Final = 10


def correction_problems(rows: LedgerRows, manifest: Manifest) -> Iterator[str]:
    """Yield a line for each row that is not what its column `corrected` says, and for their count.

    The column says "기쁨 → 슬픔 by kim: she is crying"; what is behind the arrow is the row's class
    or, without one, its outcome. Older ledgers do not have it.
    """
    if (corrected := rows.words.get("corrected")) is None:
        return
    ledger, label, outcome = manifest.ledger.file, rows.words["label"], rows.words["outcome"]
    changed = np.flatnonzero(corrected.codes >= 0).tolist()
    wrong = [
        row
        for row in changed
        if f" → {label.word(row) or outcome.word(row)} by " not in (corrected.word(row) or "")
    ][:_MOST]
    for row, key in zip(wrong, rows.key_texts(wrong), strict=True):
        yield f"{ledger}: {key} is not what a person made it: {corrected.word(row)}"
    count = f"of {len(changed):,} photos"
    if "+sha256 " in manifest.options["labels"] and not manifest.rule.endswith(count):
        yield f"{ledger}: it has corrections {count}, the manifest says: {manifest.rule}"
