"""Triton kernels: products of packed weights on NVIDIA cards. Needs triton; only backend `cuda` imports this."""
