"""How fast artlock is, beside its peers, in one run: ``make bench``."""
