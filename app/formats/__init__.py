"""The forms in which a segmentation is written: masks, JSON, tensors."""
