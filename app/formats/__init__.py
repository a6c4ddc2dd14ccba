"""Output formats of a segmentation: masks, JSON, tensors."""
