"""The judge: every certificate and list before it is signed, and those of anyone else."""
