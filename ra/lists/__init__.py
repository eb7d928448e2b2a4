"""Lists of applications: cells, rows, faults, and the file they came in."""
