"""The registration authority: applications, examination, decisions, revocation requests."""
