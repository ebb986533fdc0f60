"""The steps of the school year: one file each; no step calls another."""
