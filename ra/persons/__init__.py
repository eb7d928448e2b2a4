"""Persons who apply: their names, who they are, how they are found."""
