"""Training of weights: the trainer, losses, optimizers, teachers."""
