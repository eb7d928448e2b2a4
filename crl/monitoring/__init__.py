"""Lists looked at as relying parties get them: fetched, verified, judged, remembered."""
