"""Figures of models: how fast one is, how well it predicts a text, how far two are apart. docs/measuring.md defines
each. A terminal's commands are thin skins over these modules, which write nothing and ask `cancelled` as they go.
"""
