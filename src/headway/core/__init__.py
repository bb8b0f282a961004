"""What every part of Headway shares: settings, registries, outputs, batches, files. Standard library and NumPy only."""
