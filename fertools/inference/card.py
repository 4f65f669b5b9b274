"""Write the model card: what a network is, how well it does, and what it must not be used for.

Its figures are of the weights that it is exported with: `evaluate` recorded their SHA-256.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final

from fertools.console import table
from fertools.inference.metrics import number, people_text
from fertools.intervals import Estimate
from fertools.training.checkpoints import WeightsId
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

_NOT_EVALUATED: Final = "Not evaluated on a test split: how well it does is not known."


def model_card(run: Run, weights: str, weights_id: WeightsId) -> str:
    """Return a run's model card in Markdown, with the figures of the last test of these weights.

    weights   "best" or "last", and `weights_id` identifies their file
    """
    classes = ", ".join(dict.fromkeys(entry.english for entry in run.classes))
    options = [(name, json.dumps(value)) for name, value in sorted(run.options.flat().items())]
    size = run.image.size
    card = [
        "# Model card\n",
        f"Recognises {len(run.classes)} facial expressions ({classes}) in gray crops of faces, "
        f"{size}×{size} pixels. Trained by fertools.\n",
        f"Weights: {weights}, {_epoch(weights_id.epoch)}, SHA-256 {weights_id.sha256}.\n",
        f"{_temperature(weights_id.temperature)}\n",
        f"Dataset: {run.dataset.get('name')}, manifest {run.dataset.get('manifest')}.\n",
        _USES,
        "## Figures\n",
        _figures(run, weights_id),
        "\n## Training\n",
        f"Learned: {run.targets}.\n",
        f"```text\n{table(('option', 'value'), [*options, ('seed', str(run.seed))])}\n```\n",
    ]
    if run.earlier:
        ends = ", ".join(map(str, run.earlier))
        card.append(f"Prolonged after epochs {ends}: the learning rate rose again there.\n")
    return "\n".join(card)


def _epoch(epoch: int | None) -> str:
    return "epoch unknown" if epoch is None else f"epoch {epoch}"


def _temperature(temperature: float | None) -> str:
    if temperature is None:
        return "Not calibrated: no temperature was fitted."
    return (
        f"Calibrated: the logits are divided by a temperature of {temperature:.4g}, which was "
        "fitted on validation (Guo et al. 2017)."
    )


def _figures(run: Run, weights_id: WeightsId) -> str:
    measured = _tested(run)
    if measured is None:
        return _NOT_EVALUATED
    if (measured.get("weights_sha256"), measured.get("temperature")) != (
        weights_id.sha256,
        weights_id.temperature,
    ):
        return (
            f"{_NOT_EVALUATED} The last evaluation was of other weights or another temperature "
            f"({measured.get('weights')}, {_epoch(measured.get('weights_epoch'))}), "
            "and its figures are left out."
        )
    groups = [
        (each["name"], str(each["people"]), _estimate(each["accuracy"]))
        for each in measured["groups"]
    ]
    classes = [
        (each["english"], str(each["photos"]), number(each["f1"])) for each in measured["classes"]
    ]
    people = people_text(measured["people"], measured["unknown"])
    blocks = [
        f"On {measured['photos']:,} test photos, with 95 % intervals over {people}:\n",
        f"- accuracy {_estimate(measured['accuracy'])}",
        f"- macro-F1 {_estimate(measured['macro_f1'])}",
        f"- loss {measured['loss']:.3f} nats, calibration error "
        f"{measured['calibration_error']:.3f}",
        *_vote_lines(measured.get("votes")),
        *(f"Beware: {warning}." for warning in measured["warnings"]),
        f"\n```text\n{table(('class', 'photos', 'F1'), classes)}",
        f"\n{table(('group', 'people', 'accuracy'), groups)}\n```" if groups else "```",
    ]
    return "\n".join(blocks)


def _vote_lines(votes: dict[str, Any] | None) -> list[str]:
    names = {
        "majority": "accuracy against the annotators' majority",
        "random": "agreement with a random annotator",
        "ceiling": "the ceiling of that, of the best possible classifier (Dawid-Skene)",
    }
    known = {name: figure for name, figure in (votes or {}).items() if figure}
    return [f"- {text} {_estimate(known[name])}" for name, text in names.items() if name in known]


def _tested(run: Run) -> dict[str, Any] | None:
    """Return what `evaluate` wrote about the test split, or None."""
    with suppress(OSError, ValueError):
        tree = json.loads((run.folder / "evaluation-test" / "metrics.json").read_bytes())
        return tree if isinstance(tree, dict) else None
    return None


def _estimate(value: dict[str, Any] | None) -> str:
    return "too few people" if value is None else str(Estimate(**value))
