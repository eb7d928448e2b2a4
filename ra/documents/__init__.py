"""The files of documents: what they may be, and how they are kept."""
