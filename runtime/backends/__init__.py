"""Devices: each backend is a loaded model behind the seam in `base`."""
