"""Layouts: by which file a checkpoint folder's weights are found."""

from __future__ import annotations

INDEX = ".index.json"  # ends the name of a file that names shards
# In transformers' order of preference: who saves one file over shards leaves their index behind.
LAYOUTS = (
    "model.safetensors",
    f"model.safetensors{INDEX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX}",
)
