"""Bytes that nobody checked, given to everything that reads such bytes (hazard 5.11).

``targets.py`` lists one function of bytes for each reader; they are in ``texts.py``,
``values.py``, ``listings.py`` and ``own.py``. ``mutator.py`` spoils inputs by a seed, with
the pieces of ``words.py``, ``seeds.py`` builds the corpus in ``tests/corpus``,
``scenarios.py`` makes a scenario of each target. ``python -m torture.fuzz TARGET --seconds
60`` looks for new inputs, guided by coverage where atheris can be imported.
"""
