"""What stands beside the lists: certificates, fingerprints, documents, and the page over all."""
