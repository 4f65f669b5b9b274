"""Draws people and writes an AI-Hub style archive of them: an input that anybody may have.

schedule   who is photographed when          person, place, expression, session
photo      a shot as pixels and as a file    canvas, portrait, features, orientation
archive    all shots as files                layout, storage, votes, troubles
"""

from __future__ import annotations

from fertools.sample.archive import Form, Sample, make_sample

__all__ = ["Form", "Sample", "make_sample"]
