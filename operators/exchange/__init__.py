"""Papers between organisations: registers, orders, results, each verified by whom it reaches."""
