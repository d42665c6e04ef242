"""What artlock does: one module a deed. No printing, no arguments, no click."""
