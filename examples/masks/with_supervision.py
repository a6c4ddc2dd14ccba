"""supervision: a detection per class, painted: ``python -m examples.masks.with_supervision``."""

import cv2
import numpy as np
import supervision as sv

from app.client import Client

with Client("http://127.0.0.1:8000") as client:
    segmentation = client.segment("examples/cat.jpg")
classes = np.array([found.index for found in segmentation.classes if found.name != "background"], dtype=int)
masks = segmentation.mask == classes[:, None, None]  # (classes, height, width) bool
detections = sv.Detections(xyxy=sv.mask_to_xyxy(masks), mask=masks, class_id=classes)
cv2.imwrite("painted.png", sv.MaskAnnotator().annotate(cv2.imread("examples/cat.jpg"), detections))
print(detections.class_id, detections.area, detections.xyxy)
