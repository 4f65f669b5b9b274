"""The model card: what a network is, how well it does, and what it must not be used for.

Its figures are those of the very weights that it comes with: `evaluate` wrote down their SHA-256.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final

from fertools.console import table
from fertools.inference.metrics import drawn
from fertools.training.checkpoints import Held
from fertools.training.run import Run

_USES: Final = """\
## Meant for

Research on facial expressions, on photos of adults who agreed to it, with a person who looks at
the answers. It names the expression that a face shows, as the people who uploaded the training
photos named their own poses. It does not know what anybody feels.

## Not to be used

- To infer emotions of people at work or in education: prohibited in the European Union since
  2025-02-02 (Regulation (EU) 2024/1689, Article 5(1)(f)), but for medical or safety reasons.
- To decide about people: hiring, insurance, credit, border control, policing, school marks.
- On people who do not know of it. Systems that recognise emotions must tell those exposed to them
  (Article 50(3)).
- To identify or to track anybody.
- On children, and on groups whose figures are missing below, as if it had been tested on them.

## Limits

- Posed expressions in phone photos; spontaneous ones are weaker, and look different.
- A calibrated network is right as often as it says on people like those it was tested on, and
  on no others.
- The face must be found first, and cut out as preprocessing.json says.
"""


def model_card(run: Run, weights: str, held: Held) -> str:
    """Return a run's model card in Markdown, with the figures of the last test of these weights.

    weights   "best" or "last", and `held` what their file holds
    """
    classes = ", ".join(dict.fromkeys(entry.english for entry in run.classes))
    options = [(name, json.dumps(value)) for name, value in sorted(run.options.items())]
    size = run.image.size
    return "\n".join(
        [
            "# Model card\n",
            f"Recognises {len(run.classes)} facial expressions ({classes}) in gray crops of faces, "
            f"{size}×{size} pixels. Trained by fertools.\n",
            f"Weights: {weights}, {_epoch(held.epoch)}, SHA-256 {held.sha256}.\n",
            f"Dataset: {run.dataset.get('name')}, manifest {run.dataset.get('manifest')}.\n",
            _USES,
            "## Figures\n",
            _figures(run, held),
            "\n## Training\n",
            f"```text\n{table(('option', 'value'), [*options, ('seed', str(run.seed))])}\n```\n",
            *_prolonged(run),
        ]
    )


def _epoch(epoch: int | None) -> str:
    return "epoch unknown" if epoch is None else f"epoch {epoch}"


def _prolonged(run: Run) -> list[str]:
    if not run.earlier:
        return []
    ends = ", ".join(map(str, run.earlier))
    return [f"Prolonged after epochs {ends}: the learning rate rose again there.\n"]


def _figures(run: Run, held: Held) -> str:
    found = _tested(run)
    if found is None:
        return "Not evaluated on a test split: nobody knows how well it does."
    if found.get("weights_sha256") != held.sha256:
        return (
            "Not evaluated on a test split: nobody knows how well it does. The last evaluation was "
            f"of other weights ({found.get('weights')}, {_epoch(found.get('weights_epoch'))}), and "
            "its figures are left out."
        )
    doubts = [f"Beware: {doubt}." for doubt in found["warnings"]]
    groups = [
        (each["name"], str(each["people"]), _estimate(each["accuracy"])) for each in found["groups"]
    ]
    classes = [
        (each["english"], str(each["photos"]), _share(each["f1"])) for each in found["classes"]
    ]
    blocks = [
        f"On {found['photos']:,} test photos, with 95 % intervals over "
        f"{drawn(found['people'], found['unknown'])}:\n",
        f"- accuracy {_estimate(found['accuracy'])}",
        f"- macro-F1 {_estimate(found['macro_f1'])}",
        f"- loss {found['loss']:.3f} nats, calibration error {found['calibration_error']:.3f}",
        *doubts,
        f"\n```text\n{table(('class', 'photos', 'F1'), classes)}",
        f"\n{table(('group', 'people', 'accuracy'), groups)}\n```" if groups else "```",
    ]
    return "\n".join(blocks)


def _tested(run: Run) -> dict[str, Any] | None:
    """Return what `evaluate` wrote down of the test split, or None."""
    with suppress(OSError, ValueError):
        found = json.loads((run.folder / "evaluation-test" / "metrics.json").read_bytes())
        return found if isinstance(found, dict) else None
    return None


def _estimate(value: dict[str, float | None] | None) -> str:
    if value is None:
        return "too few people"
    if value["low"] is None:
        return f"{value['value']:.3f} (no interval)"
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
