"""One file of frozen dataclasses per activity. Importing any of them costs nothing heavy."""
