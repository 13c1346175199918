"""Weights as they lie in a package, expanded when an op uses them."""
