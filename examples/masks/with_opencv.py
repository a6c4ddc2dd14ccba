"""OpenCV: an outline drawn over the photograph: ``python -m examples.masks.with_opencv``."""

import cv2

from app.client import Client

with Client("http://127.0.0.1:8000") as client:
    mask = client.segment("examples/cat.jpg").mask
cat = (mask == 8).astype("uint8")
outlines, _ = cv2.findContours(cat, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
picture = cv2.drawContours(cv2.imread("examples/cat.jpg"), outlines, -1, color=(0, 255, 255), thickness=2)
cv2.imwrite("outlined.png", picture)
print(f"{len(outlines)} outline round {cv2.countNonZero(cat)} pixels")
