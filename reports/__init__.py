"""Reports: query to frozen rows to HTML, CSV and JSON."""
