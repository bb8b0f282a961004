"""Training: the step, the loop, objectives and the Trainer. Importing from here imports torch."""
