"""What changes weights: the trainer, losses, optimizers, teachers."""
