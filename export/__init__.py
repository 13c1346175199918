"""Checkpoint in, verified Core ML bundle out."""
