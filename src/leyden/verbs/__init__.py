"""What can be done with a run: one function a file, each readable from top to bottom."""
