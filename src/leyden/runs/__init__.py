"""A run is a folder: claimed once, opened again by every verb."""
