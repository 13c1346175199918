"""`python -m runtime doctor BUNDLE`: does this machine compute the bundle rightly, on which device, and how fast?

Every device is tried in a child process of its own (`probe`), watched by `runner`: a crash, a hang or a kill of a
framework is a finding, not the end. `judgement` compares with the interpreter and recommends; `checkup` is the whole.
"""
