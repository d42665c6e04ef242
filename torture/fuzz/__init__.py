"""Bytes that nobody checked, given to everything that reads such bytes (hazard 5.11).

``targets.py`` has one function of bytes for each reader, ``mutator.py`` spoils inputs by a
seed, ``seeds.py`` builds the corpus in ``tests/corpus``, ``scenarios.py`` makes a scenario
of each target. ``python -m torture.fuzz TARGET --seconds 60`` looks for new inputs, guided
by coverage where atheris can be imported.
"""
