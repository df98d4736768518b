"""How fast Jauge is, beside its peers and beside the floor that no reader can go under.

Every figure is a ratio of two things measured in the same run, in turns: an absolute time says more about the machine
than about the code. Run with ``scripts/bench``.
"""
