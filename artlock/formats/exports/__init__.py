"""What is locked, in forms that need no artlock: one module a form.

Each is a function of the exported values alone, so the same lockfile gives the same bytes.
"""
