"""Draws docs/images/path.png: what becomes of a photo, shown on a drawn person.

python docs/draw_path.py ARCHIVE    an archive of make-sample --as folders
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np

from fertools.faces.augment import talk_augment
from fertools.faces.detectors import load_detector
from fertools.faces.extract import crop_chosen, search_photo
from fertools.options import FaceOptions

IMAGE = Path(__file__).parent / "images" / "path.png"


def main(archive: Path) -> None:
    """Draw the steps for the first photo of a smiling person."""
    data = next(iter(sorted(archive.rglob("*기쁨*.jpg")))).read_bytes()
    options = FaceOptions()
    search = search_photo(data, options, load_detector(options))
    crop = crop_chosen(data, search, options)
    photo = cv2.cvtColor(search.picture.image, cv2.COLOR_BGR2RGB)
    box = search.picture.shrink(crop.box)
    marked = cv2.rectangle(
        photo.copy(), (int(box.x0), int(box.y0)), (int(box.x1), int(box.y1)), (0, 158, 115), 6
    )
    gray = cv2.imdecode(np.frombuffer(crop.image, np.uint8), cv2.IMREAD_GRAYSCALE)
    copies = [talk_augment(gray, 0, "path", copy) for copy in range(2)]
    steps = {
        "photo": photo,
        "face found": marked,
        f"crop, {gray.shape[1]}×{gray.shape[0]}, gray": gray,
        "augmented, in train only": copies[0],
        " ": copies[1],
    }
    figure, axes = plt.subplots(1, len(steps), figsize=(12, 2.9), layout="constrained")
    for axis, (title, image) in zip(axes, steps.items(), strict=True):
        axis.imshow(image, cmap="gray")
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    figure.savefig(IMAGE, dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
