"""Break what artlock stands on, at random and for as long as one likes, and count.

``scenario.py`` says what a scenario is, ``scenarios.py`` lists them, ``run.py`` runs one,
``table.py`` prints what came of it. ``make torture`` is the long form; ``tests/torture``
runs a few trials of each, always the same ones.
"""
