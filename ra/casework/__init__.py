"""The work on one file: its moves, checks, duplicates, inquiries, deficiencies, fees."""
