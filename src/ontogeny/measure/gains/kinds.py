"""What a unit can do with what it is given: inherit, select, combine. May import nothing."""

LEVEL = 0.05
"""A unit at or below this p is constructed: chance gives as large a share of units."""
INHERITS, SELECTS, COMBINES, UNKNOWN = 0, 1, 2, -1
KINDS = ("inherits", "selects", "combines")
"""What `kind` means; -1: not known."""
